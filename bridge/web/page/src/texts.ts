/** Every word of the page, in French and English. */

import type { Stop } from "./stopped";

export type Language = "fr" | "en";

/** Why there is no meeting on the screen; `action` is the button's word, if a button can help. */
export interface StopText {
  title: string;
  text: string;
  action: string | null;
}

const plural = (n: number, one: string, many: string): string => (n === 1 ? one : many);

const fr = {
  otherLanguage: { code: "en", name: "English" } as { code: Language; name: string },
  brand: "Visio",
  meeting: "Réunion vidéo",
  skip: "Aller au contenu",
  loading: "Chargement de la réunion…",

  lobby: {
    title: (subject: string | null): string => subject ?? "Réunion vidéo",
    pageTitle: (subject: string | null): string => `${subject ?? "Réunion vidéo"} – Visio`,
    people: (n: number): string =>
      n === 0
        ? "Personne n’est encore là."
        : `${n} ${plural(n, "personne est déjà là.", "personnes sont déjà là.")}`,
    name: "Votre nom",
    nameHint: "Visible par les participants et dans le salon de discussion.",
    nameMissing: "Écrivez votre nom pour entrer.",
    nameUnreadable: "Ce nom n’est pas lisible. Écrivez au moins une lettre.",
    join: "Rejoindre",
    joinAudio: "Rejoindre avec le son seul",
    joining: "Connexion…",
    preview: "Aperçu",
    level: "Niveau du micro",
    privacy: "La réunion n’est pas chiffrée de bout en bout.",
  },

  device: {
    camera: "Caméra",
    microphone: "Micro",
    speaker: "Haut-parleur",
    byDefault: "Par défaut",
    unnamed: (n: number): string => `Appareil ${n}`,
    title: "Appareils",
    open: "Appareils",
    close: "Fermer",
    none: "Aucun appareil",
  },

  problem: {
    asking: "Autorisez la caméra et le micro dans la fenêtre de votre navigateur.",
    cameraOff: "La caméra est coupée",
    camera: {
      refused: "L’accès à la caméra est refusé. Autorisez-la à côté de l’adresse de la page, ou entrez sans caméra.",
      absent: "Aucune caméra n’a été trouvée. Vous pouvez entrer sans caméra.",
      busy: "Un autre logiciel utilise la caméra. Fermez-le, ou entrez sans caméra.",
      insecure: "Le navigateur n’autorise la caméra que sur une adresse en https.",
    },
    microphone: {
      refused: "L’accès au micro est refusé. Autorisez-le à côté de l’adresse de la page, ou entrez pour écouter.",
      absent: "Aucun micro n’a été trouvé. Vous pouvez entrer pour écouter.",
      busy: "Un autre logiciel utilise le micro. Fermez-le, ou entrez pour écouter.",
      insecure: "Le navigateur n’autorise le micro que sur une adresse en https.",
    },
    screen: "Le partage d’écran n’a pas pu commencer.",
    dismiss: "Fermer ce message",
  },

  room: {
    connecting: "Connexion à la réunion…",
    reconnecting: "Connexion perdue. Nouvel essai en cours…",
    reconnected: "Connexion rétablie.",
    connected: "Vous êtes dans la réunion.",
    alone: "Personne d’autre n’est là pour l’instant. Les autres entrent avec le même lien.",
    recording: "Enregistrement en cours",
    hear: "Activer le son de la réunion",
    controls: "Commandes",
    microphone: "Micro",
    camera: "Caméra",
    share: "Partager l’écran",
    people: "Participants",
    peopleCount: (n: number): string => `${n} ${plural(n, "participant", "participants")}`,
    leave: "Quitter",
    stage: "Vidéo des participants",
    you: "vous",
    nobody: "Sans nom",
    screenOf: (name: string): string => `Écran partagé : ${name}`,
    yourScreen: "Vous partagez votre écran",
    mutedByOthers: "Un organisateur a coupé votre micro. Vous pouvez le rouvrir.",
    muted: "micro coupé",
    unmuted: "micro ouvert",
    cameraOff: "caméra coupée",
    weak: "connexion faible",
    page: (n: number, of: number): string => `Page ${n} sur ${of}`,
    previous: "Page précédente",
    next: "Page suivante",
    joined: (name: string): string => `${name} a rejoint la réunion.`,
    left: (name: string): string => `${name} a quitté la réunion.`,
    manyJoined: (n: number): string => `${n} personnes ont rejoint la réunion.`,
    manyLeft: (n: number): string => `${n} personnes ont quitté la réunion.`,
    shares: (name: string): string => `${name} partage son écran.`,
    stoppedSharing: (name: string): string => `${name} ne partage plus son écran.`,
    pageTitle: (subject: string | null): string => `En réunion : ${subject ?? "réunion vidéo"} – Visio`,
  },

  stop: {
    left: {
      title: "Vous avez quitté la réunion",
      text: "Vous pouvez y revenir tant qu’elle est ouverte, ou fermer cette page.",
      action: "Revenir dans la réunion",
    },
    over: {
      title: "La réunion est terminée",
      text: "Pour une nouvelle réunion, écrivez !visio dans le salon de discussion. Vous pouvez fermer cette page.",
      action: null,
    },
    full: {
      title: "La réunion est complète",
      text: "Le nombre maximal de participants est atteint. Réessayez quand quelqu’un sera parti.",
      action: "Réessayer",
    },
    wrong_link: {
      title: "Ce lien ne mène à aucune réunion",
      text: "Il a peut-être été tronqué lors de la copie. Reprenez le lien entier dans le salon de discussion.",
      action: null,
    },
    unavailable: {
      title: "La réunion est injoignable",
      text: "Le serveur vidéo ne répond pas pour l’instant. Réessayez dans une minute.",
      action: "Réessayer",
    },
    offline: {
      title: "Le service est injoignable",
      text: "Vérifiez votre connexion à Internet, puis réessayez.",
      action: "Réessayer",
    },
    busy: {
      title: "Trop d’essais",
      text: "Attendez une minute, puis réessayez.",
      action: "Réessayer",
    },
    removed: {
      title: "On vous a fait sortir de la réunion",
      text: "Un organisateur a mis fin à votre participation. Si c’est une erreur, dites-le dans le salon de discussion.",
      action: null,
    },
    duplicate: {
      title: "La réunion est ouverte ailleurs",
      text: "Vous y êtes dans un autre onglet ou une autre fenêtre. On ne peut y être qu’une fois.",
      action: "Continuer ici",
    },
    lost: {
      title: "La connexion est perdue",
      text: "La réunion continue peut-être sans vous. Vérifiez votre connexion à Internet, puis revenez.",
      action: "Revenir dans la réunion",
    },
    unsupported: {
      title: "Ce navigateur ne convient pas",
      text: "Il ne permet pas les réunions vidéo. Ouvrez le lien dans une version récente de Firefox, Chrome, Edge ou Safari.",
      action: null,
    },
  } as Record<Stop, StopText>,
};

export type Texts = typeof fr;

const en: Texts = {
  otherLanguage: { code: "fr", name: "Français" },
  brand: "Visio",
  meeting: "Video meeting",
  skip: "Skip to content",
  loading: "Loading the meeting…",

  lobby: {
    title: (subject) => subject ?? "Video meeting",
    pageTitle: (subject) => `${subject ?? "Video meeting"} – Visio`,
    people: (n) =>
      n === 0 ? "Nobody is there yet." : `${n} ${plural(n, "person is", "people are")} already there.`,
    name: "Your name",
    nameHint: "Shown to the participants and in the chat room.",
    nameMissing: "Type your name to join.",
    nameUnreadable: "This name cannot be read. Type at least one letter.",
    join: "Join",
    joinAudio: "Join with audio only",
    joining: "Connecting…",
    preview: "Preview",
    level: "Microphone level",
    privacy: "The meeting is not end-to-end encrypted.",
  },

  device: {
    camera: "Camera",
    microphone: "Microphone",
    speaker: "Speaker",
    byDefault: "Default",
    unnamed: (n) => `Device ${n}`,
    title: "Devices",
    open: "Devices",
    close: "Close",
    none: "No device",
  },

  problem: {
    asking: "Allow the camera and the microphone in your browser’s window.",
    cameraOff: "The camera is off",
    camera: {
      refused: "Access to the camera is refused. Allow it next to the page’s address, or join without a camera.",
      absent: "No camera was found. You can join without one.",
      busy: "Another program is using the camera. Close it, or join without a camera.",
      insecure: "The browser allows the camera only on an https address.",
    },
    microphone: {
      refused: "Access to the microphone is refused. Allow it next to the page’s address, or join to listen.",
      absent: "No microphone was found. You can join to listen.",
      busy: "Another program is using the microphone. Close it, or join to listen.",
      insecure: "The browser allows the microphone only on an https address.",
    },
    screen: "Screen sharing could not start.",
    dismiss: "Close this message",
  },

  room: {
    connecting: "Connecting to the meeting…",
    reconnecting: "Connection lost. Trying again…",
    reconnected: "Connection restored.",
    connected: "You are in the meeting.",
    alone: "Nobody else is there yet. Others join with the same link.",
    recording: "Recording",
    hear: "Turn on the meeting’s sound",
    controls: "Controls",
    microphone: "Microphone",
    camera: "Camera",
    share: "Share screen",
    people: "Participants",
    peopleCount: (n) => `${n} ${plural(n, "participant", "participants")}`,
    leave: "Leave",
    stage: "Participants’ video",
    you: "you",
    nobody: "No name",
    screenOf: (name) => `Shared screen: ${name}`,
    yourScreen: "You are sharing your screen",
    mutedByOthers: "An organiser turned your microphone off. You can turn it on again.",
    muted: "microphone off",
    unmuted: "microphone on",
    cameraOff: "camera off",
    weak: "weak connection",
    page: (n, of) => `Page ${n} of ${of}`,
    previous: "Previous page",
    next: "Next page",
    joined: (name) => `${name} joined.`,
    left: (name) => `${name} left.`,
    manyJoined: (n) => `${n} people joined.`,
    manyLeft: (n) => `${n} people left.`,
    shares: (name) => `${name} is sharing their screen.`,
    stoppedSharing: (name) => `${name} stopped sharing their screen.`,
    pageTitle: (subject) => `In the meeting: ${subject ?? "video meeting"} – Visio`,
  },

  stop: {
    left: {
      title: "You left the meeting",
      text: "You can return as long as it is open, or close this page.",
      action: "Return to the meeting",
    },
    over: {
      title: "The meeting is over",
      text: "For a new meeting, type !visio in the chat room. You can close this page.",
      action: null,
    },
    full: {
      title: "The meeting is full",
      text: "It has as many participants as it can take. Try again when somebody has left.",
      action: "Try again",
    },
    wrong_link: {
      title: "This link leads to no meeting",
      text: "It may have been cut short when it was copied. Copy the whole link from the chat room.",
      action: null,
    },
    unavailable: {
      title: "The meeting cannot be reached",
      text: "The video server is not answering at the moment. Try again in a minute.",
      action: "Try again",
    },
    offline: {
      title: "The service cannot be reached",
      text: "Check your internet connection, then try again.",
      action: "Try again",
    },
    busy: {
      title: "Too many attempts",
      text: "Wait a minute, then try again.",
      action: "Try again",
    },
    removed: {
      title: "You were removed from the meeting",
      text: "An organiser ended your participation. If this is a mistake, say so in the chat room.",
      action: null,
    },
    duplicate: {
      title: "The meeting is open elsewhere",
      text: "You are in it in another tab or window. You can be there only once.",
      action: "Continue here",
    },
    lost: {
      title: "The connection is lost",
      text: "The meeting may be going on without you. Check your internet connection, then return.",
      action: "Return to the meeting",
    },
    unsupported: {
      title: "This browser cannot be used",
      text: "It does not support video meetings. Open the link in a recent Firefox, Chrome, Edge or Safari.",
      action: null,
    },
  },
};

export const texts: Record<Language, Texts> = { fr, en };
