/** A Matrix client, logged in and in sync. */

import { ClientEvent, createClient, type MatrixClient, SyncState } from "matrix-js-sdk";

import type { Visit } from "./visit";

/**
 * Resolves once the rooms are known.
 *
 * @throws Error if the homeserver refuses, or does not answer at the first attempt.
 */
export async function logIn(visit: Visit): Promise<MatrixClient> {
  const client = createClient({
    baseUrl: visit.homeserver,
    accessToken: visit.token,
    userId: visit.user,
    deviceId: visit.device,
    timelineSupport: true,
  });
  // Keys for encrypted rooms. They live as long as the browser's data for this page.
  await client.initRustCrypto({ cryptoDatabasePrefix: `${visit.user} ${visit.device}` });
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  const decide = (state: SyncState, _: SyncState | null, data?: { error?: Error }): void => {
    if (state === SyncState.Prepared) resolve();
    if (state === SyncState.Error) reject(data?.error ?? new Error("sync"));
  };
  client.on(ClientEvent.Sync, decide);
  await client.startClient({ initialSyncLimit: 50, disablePresence: true });
  await ready;
  client.off(ClientEvent.Sync, decide);
  return client;
}
