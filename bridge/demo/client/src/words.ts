/** Every word of the page, in French and English. */

const fr = {
  call: "Appeler",
  hangUp: "Fermer l’appel",
  callFrame: "Appel",
  connecting: "Connexion…",
  connected: "",
  away: "Le serveur ne répond pas. Nouvel essai…",
  refused: "Le serveur refuse la connexion : ",
  notSent: "Le message n’est pas parti : ",
  timeline: "Messages du salon",
  prompt: "Message",
  send: "Envoyer",
  unreadable: "(message illisible)",
  inMatrix: (who: string, room: string): string => `${who}, dans Matrix : ${room}`,
  inVisio: "La même réunion, dans Visio",
  noMeeting: "Aucune réunion n’est ouverte. Écrivez !visio dans le salon.",
};

const en: typeof fr = {
  call: "Call",
  hangUp: "Close the call",
  callFrame: "Call",
  connecting: "Connecting…",
  connected: "",
  away: "The server does not answer. Trying again…",
  refused: "The server refuses the connection: ",
  notSent: "The message was not sent: ",
  timeline: "Messages of the room",
  prompt: "Message",
  send: "Send",
  unreadable: "(unreadable message)",
  inMatrix: (who, room) => `${who}, in Matrix: ${room}`,
  inVisio: "The same meeting, in Visio",
  noMeeting: "No meeting is open. Type !visio in the room.",
};

export type Words = typeof fr;

export const wordsFor = (language: string): Words => (language.startsWith("fr") ? fr : en);
