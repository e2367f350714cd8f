/** The pages that readers may see, with their status. */
export const PAGES = {
  /** At `/`. */
  home: 200,
  /**
   * Unknown, expired, forged, another host's, or not a link at all. The page does not tell which.
   */
  notFound: 404,
  /** A link can only be opened. */
  notAllowed: 405,
  /** An operator blocked the link. */
  blocked: 410,
  /** Longer than any tracked link. */
  tooLong: 414,
  /**
   * The link may exist, but the store is unavailable, its record is unreadable, or the lookup
   * failed.
   */
  unavailable: 503,
} as const;

export type PageName = keyof typeof PAGES;

/**
 * The words of one language: a title and a text for each page, and what stands before the address
 * to ask.
 */
type Texts = Readonly<Record<PageName, readonly [title: string, text: string]>> & {
  readonly contact: string;
};

/**
 * By language tag; the first stands in for every other language. No word of these needs escaping in
 * HTML.
 */
export const TEXTS = {
  en: {
    home: [
      'Links in e-mail',
      'Links in messages lead to this host first. It records that a link was opened, and sends the reader on to the page that the sender of the message linked to. There is nothing else here. If you have questions about a message, please ask its sender.',
    ],
    notFound: [
      'This link leads nowhere',
      'It may be incomplete or too old. If it came by mail, please open the whole link from the message again.',
    ],
    notAllowed: ['This link can only be opened', 'Nothing can be sent to it.'],
    blocked: [
      'This link has been switched off',
      'It no longer leads anywhere, on purpose: what it pointed to may not have been safe.',
    ],
    tooLong: [
      'This link is too long',
      'It is longer than any link that leads somewhere from here.',
    ],
    unavailable: ['Please try again in a moment', 'The link cannot be looked up right now.'],
    contact: 'Contact:',
  },
  de: {
    home: [
      'Links in E-Mails',
      'Links in Nachrichten führen zuerst zu diesem Server. Er hält fest, dass ein Link geöffnet wurde, und leitet zu der Seite weiter, die der Absender der Nachricht verlinkt hat. Sonst gibt es hier nichts. Bei Fragen zu einer Nachricht wenden Sie sich bitte an ihren Absender.',
    ],
    notFound: [
      'Dieser Link führt nirgendwohin',
      'Er ist vielleicht unvollständig oder zu alt. Wenn er aus einer E-Mail stammt, öffnen Sie bitte den ganzen Link noch einmal aus der Nachricht.',
    ],
    notAllowed: ['Dieser Link lässt sich nur öffnen', 'An ihn kann nichts gesendet werden.'],
    blocked: [
      'Dieser Link wurde abgeschaltet',
      'Er führt absichtlich nirgendwo mehr hin: Sein Ziel war womöglich nicht sicher.',
    ],
    tooLong: ['Dieser Link ist zu lang', 'Er ist länger als jeder Link, der von hier weiterführt.'],
    unavailable: [
      'Bitte versuchen Sie es gleich noch einmal',
      'Der Link kann gerade nicht nachgeschlagen werden.',
    ],
    contact: 'Kontakt:',
  },
  fr: {
    home: [
      'Liens dans les e-mails',
      'Les liens des messages mènent d’abord à ce serveur. Il enregistre qu’un lien a été ouvert, puis redirige vers la page indiquée par l’expéditeur du message. Il n’y a rien d’autre ici. Pour toute question sur un message, veuillez vous adresser à son expéditeur.',
    ],
    notFound: [
      'Ce lien ne mène nulle part',
      'Il est peut-être incomplet ou trop ancien. S’il vient d’un e-mail, veuillez rouvrir le lien entier depuis le message.',
    ],
    notAllowed: ['Ce lien ne peut qu’être ouvert', 'Rien ne peut lui être envoyé.'],
    blocked: [
      'Ce lien a été désactivé',
      'Il ne mène plus nulle part, et c’est voulu : sa destination n’était peut-être pas sûre.',
    ],
    tooLong: [
      'Ce lien est trop long',
      'Il est plus long que tous les liens qui mènent quelque part depuis ce serveur.',
    ],
    unavailable: [
      'Veuillez réessayer dans un instant',
      'Le lien ne peut pas être consulté pour le moment.',
    ],
    contact: 'Contact :',
  },
  es: {
    home: [
      'Enlaces en correos electrónicos',
      'Los enlaces de los mensajes pasan primero por este servidor. Registra que se abrió un enlace y redirige a la página que indicó el remitente del mensaje. Aquí no hay nada más. Si tiene preguntas sobre un mensaje, diríjase a su remitente.',
    ],
    notFound: [
      'Este enlace no lleva a ninguna parte',
      'Puede que esté incompleto o sea demasiado antiguo. Si llegó por correo, vuelva a abrir el enlace completo desde el mensaje.',
    ],
    notAllowed: ['Este enlace solo se puede abrir', 'No se le puede enviar nada.'],
    blocked: [
      'Este enlace se ha desactivado',
      'Ya no lleva a ninguna parte, a propósito: es posible que su destino no fuera seguro.',
    ],
    tooLong: [
      'Este enlace es demasiado largo',
      'Es más largo que cualquier enlace que lleve a alguna parte desde aquí.',
    ],
    unavailable: [
      'Vuelva a intentarlo en un momento',
      'El enlace no se puede consultar ahora mismo.',
    ],
    contact: 'Contacto:',
  },
} as const satisfies Readonly<Record<string, Texts>>;
