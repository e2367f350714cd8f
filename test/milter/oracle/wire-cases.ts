import {
  abort,
  body,
  connect,
  data,
  eob,
  eoh,
  header,
  helo,
  macros,
  mail,
  optneg,
  packet,
  quit,
  quitNewConnection,
  rcpt,
  u16,
  u32,
  unknown,
} from '../../helpers/milter-wire.ts';

/**
 * What an MTA, or somebody who is none, may send. The expected answers are not written here: libmilter gives
 * them, live. `differs` is ours where it is not libmilter's, and why.
 */
export interface WireCase {
  readonly name: string;
  readonly sent: readonly Buffer[];
  /** The economical negotiation in place of the full one. */
  readonly lean?: boolean;
  readonly differs?: { readonly ours: readonly string[]; readonly why: string };
}

const opening = [optneg(), connect(), helo()];
const envelope = [mail(), rcpt()];
const text = [header('Subject', ' hello'), header('To', ' b'), eoh(), body('text\r\n')];
/** A whole message, from MAIL to its end. */
const message = [...envelope, data(), ...text, eob()];
/** A message whose header gives orders to be carried out at its end. */
const ordered = (...orders: string[]) => [
  ...envelope,
  data(),
  ...orders.map((order) => header('X-Do', ` ${order}`)),
  eoh(),
  body('text\r\n'),
  eob(),
];

export const wireCases: readonly WireCase[] = [
  // Negotiation.
  { name: 'the usual offer', sent: [optneg()] },
  { name: 'the usual offer, lean', sent: [optneg()], lean: true },
  { name: 'version 2', sent: [optneg(2, 0x3f, 0x7f)] },
  {
    name: 'version 2, lean',
    sent: [optneg(2, 0x3f, 0x7f)],
    differs: { ours: ['O 2 3f 0', 'alive'], why: 'a request that was not offered is not made' },
    lean: true,
  },
  {
    name: 'version 6 without the right to set macros',
    sent: [optneg(6, 0xff)],
    differs: {
      ours: ['O 6 ff 100580', 'alive'],
      why: 'a request that was not offered is not made',
    },
    lean: true,
  },
  { name: 'version 6 without replies left out', sent: [optneg(6, 0x1ff, 0x7f)], lean: true },
  { name: 'version 7 is answered with 6', sent: [optneg(7)] },
  { name: 'version 1 is refused', sent: [optneg(1)] },
  { name: 'version 0 is refused', sent: [optneg(0)] },
  { name: 'no actions offered', sent: [optneg(6, 0)] },
  { name: 'no protocol flags offered', sent: [optneg(6, 0x1ff, 0)] },
  { name: 'larger packets offered', sent: [optneg(6, 0x1ff, 0x301fffff)] },
  { name: 'eleven bytes of negotiation', sent: [packet('O', `${u32(6)}${u32(0x1ff)}\0\0\0`)] },
  {
    name: 'more bytes of negotiation',
    sent: [packet('O', `${u32(6)}${u32(0x1ff)}${u32(0x1fffff)}extra`)],
  },
  { name: 'negotiation twice', sent: [optneg(), optneg()] },
  {
    name: 'no negotiation',
    sent: [connect()],
    differs: { ours: ['closed'], why: 'whoever does not negotiate speaks another protocol' },
  },
  { name: 'quit before negotiation', sent: [quit()] },

  // Frames.
  { name: 'length 0', sent: [...opening, Buffer.alloc(4)] },
  {
    name: 'length 2^32 - 1',
    sent: [...opening, Buffer.from('ffffffff42', 'hex')],
    differs: {
      ours: ['O 6 ff 100400', 'c', 'c', 'closed'],
      why: 'libmilter takes it for a packet without data',
    },
  },
  {
    name: 'data of 65535 bytes',
    sent: [...opening, ...envelope, data(), eoh(), body(Buffer.alloc(65535, 'x')), eob()],
  },
  {
    name: 'data of 65536 bytes',
    sent: [...opening, ...envelope, data(), eoh(), body(Buffer.alloc(65536, 'x')), eob()],
  },
  { name: 'an unknown command', sent: [...opening, packet('Z', 'x')] },
  { name: 'a lower case command', sent: [...opening, packet('m', '<a>\0')] },
  {
    name: 'a frame that never ends',
    sent: [...opening, packet('M', '<a@sender.test>\0').subarray(0, 9)],
  },
  { name: 'half a length', sent: [...opening, Buffer.from('0000', 'hex')] },

  // Connect.
  { name: 'IPv6', sent: [optneg(), packet('C', `h\x006${u16(25)}IPv6:2001:db8::1\0`)] },
  {
    name: 'IPv6 without its prefix',
    sent: [optneg(), packet('C', `h\x006${u16(25)}2001:db8::1\0`)],
  },
  { name: 'a unix socket', sent: [optneg(), packet('C', `h\0L${u16(0)}/run/x\0`)] },
  { name: 'an unknown family', sent: [optneg(), packet('C', 'h\0U')] },
  {
    name: 'an unknown family with trailing bytes',
    sent: [optneg(), packet('C', `h\0U${u16(0)}x\0`)],
  },
  { name: 'a family that does not exist', sent: [optneg(), packet('C', `h\x009${u16(25)}x\0`)] },
  { name: 'an address that is none', sent: [optneg(), packet('C', `h\x004${u16(25)}999.1.1.1\0`)] },
  { name: 'an IPv6 address that is none', sent: [optneg(), packet('C', `h\x006${u16(25)}zzz\0`)] },
  { name: 'no address', sent: [optneg(), packet('C', 'h\x004')] },
  {
    name: 'an address without its NUL',
    sent: [optneg(), packet('C', `h\x004${u16(25)}192.0.2.1`)],
  },
  { name: 'a host name without its NUL', sent: [optneg(), packet('C', 'hhhh')] },
  { name: 'an empty connect', sent: [optneg(), packet('C')] },
  { name: 'connect twice', sent: [...opening, connect()] },
  { name: 'accept at connect', sent: [optneg(), connect('answer=accept'), ...message] },
  { name: 'reject at connect', sent: [optneg(), connect('answer=reject')] },
  { name: 'a reply at connect', sent: [optneg(), connect('answer=rejectwith')] },

  // Helo.
  { name: 'helo without connect', sent: [optneg(), helo()] },
  { name: 'helo twice', sent: [...opening, helo('again')] },
  {
    name: 'helo without its NUL',
    sent: [optneg(), connect(), packet('H', 'name')],
    differs: {
      ours: ['O 6 ff 100400', 'c', 'closed'],
      why: 'every text must end, not only those of MAIL and RCPT',
    },
  },
  { name: 'an empty helo', sent: [optneg(), connect(), packet('H')] },
  {
    name: 'helo within a message',
    sent: [...opening, ...envelope, data(), helo('again'), ...message],
  },

  // Envelope.
  { name: 'a message', sent: [...opening, ...message] },
  { name: 'a message, lean', sent: [...opening, ...message], lean: true },
  {
    name: 'three messages',
    sent: [...opening, ...message, abort(), ...message, abort(), abort(), ...message],
  },
  { name: 'the next message without an abort between', sent: [...opening, ...message, ...message] },
  { name: 'no helo', sent: [optneg(), connect(), ...message] },
  { name: 'neither connect nor helo', sent: [optneg(), ...message] },
  { name: 'the null sender', sent: [...opening, mail('<>'), rcpt()] },
  { name: 'addresses without angle brackets', sent: [...opening, mail('a'), rcpt('b')] },
  {
    name: 'arguments',
    sent: [...opening, mail('<a@b>', 'SIZE=10', 'BODY=8BITMIME'), rcpt('<c@d>', 'NOTIFY=NEVER')],
  },
  { name: 'an empty mail', sent: [...opening, packet('M')] },
  { name: 'a mail without its NUL', sent: [...opening, packet('M', '<a@b>')] },
  { name: 'an empty rcpt', sent: [...opening, mail(), packet('R')] },
  { name: 'a rcpt without its NUL', sent: [...opening, mail(), packet('R', '<a@b>')] },
  { name: 'mail after mail', sent: [...opening, mail(), mail('<again@b>'), rcpt()] },
  { name: 'mail after rcpt', sent: [...opening, ...envelope, mail('<again@b>'), rcpt()] },
  { name: 'rcpt before mail', sent: [...opening, rcpt(), ...message] },
  { name: 'data before rcpt', sent: [...opening, mail(), data(), ...message] },
  { name: 'the end of the message before mail', sent: [...opening, eob(), ...message] },
  { name: 'the end of the message right after rcpt', sent: [...opening, ...envelope, eob()] },
  { name: 'the end of the message right after mail', sent: [...opening, mail(), eob()] },
  { name: 'header before data', sent: [...opening, ...envelope, header('A', ' b'), eoh(), eob()] },
  {
    name: 'header after the end of headers',
    sent: [...opening, ...envelope, data(), eoh(), header('A', ' b'), eob()],
  },
  {
    name: 'body before the end of headers',
    sent: [...opening, ...envelope, data(), header('A', ' b'), body('x'), eob()],
  },
  { name: 'rcpt after data', sent: [...opening, ...envelope, data(), rcpt('<late@b>'), eob()] },
  {
    name: 'every answer to mail',
    sent: [
      ...opening,
      ...['accept', 'reject', 'tempfail', 'discard', 'rejectwith', 'deferwith'].flatMap((word) => [
        mail(`<answer=${word}>`),
        abort(),
      ]),
    ],
  },
  {
    name: 'every answer to rcpt',
    sent: [
      ...opening,
      ...['accept', 'reject', 'tempfail', 'discard', 'rejectwith', 'deferwith'].flatMap((word) => [
        mail(),
        rcpt(`<answer=${word}>`),
        abort(),
      ]),
    ],
  },
  {
    name: 'a rejected recipient among good ones',
    sent: [
      ...opening,
      mail(),
      rcpt(),
      rcpt('<answer=reject>'),
      rcpt('<c@d>'),
      data(),
      ...text,
      eob(),
    ],
  },
  {
    name: 'every recipient rejected',
    sent: [...opening, mail(), rcpt('<answer=reject>'), abort(), ...message],
  },

  // Data and macros.
  {
    name: 'an answer to data by a macro',
    sent: [
      ...opening,
      ...envelope,
      macros('T', { '{wish}': 'answer=rejectwith' }),
      data(),
      abort(),
    ],
  },
  {
    name: 'a macro for every stage',
    sent: [
      optneg(),
      macros('C', { j: 'mta.test' }),
      connect(),
      macros('H', {}),
      helo(),
      macros('M', { i: 'Q1' }),
      mail(),
      macros('R', { i: 'Q1' }),
      rcpt(),
      macros('T', { i: 'Q1' }),
      data(),
      macros('L', { i: 'Q1' }),
      header('A', ' b'),
      macros('N', { i: 'Q1' }),
      eoh(),
      macros('B', {}),
      body('x'),
      macros('E', { i: 'Q1' }),
      eob(),
    ],
  },
  { name: 'an empty macro packet', sent: [...opening, packet('D')] },
  { name: 'an odd number of macro texts', sent: [...opening, packet('D', 'Mi\0'), mail()] },
  { name: 'a macro without its NUL', sent: [...opening, packet('D', 'Mi\0Q1'), mail()] },
  {
    name: 'macros for a stage that does not exist',
    sent: [...opening, packet('D', 'Zi\0Q1\0'), mail()],
  },
  { name: 'macros before negotiation', sent: [packet('D', 'Cj\0x\0'), ...opening] },
  {
    name: 'macros of an earlier message are gone',
    sent: [
      ...opening,
      macros('T', { '{wish}': 'answer=reject' }),
      mail(),
      abort(),
      ...envelope,
      data(),
    ],
  },

  // Headers and body.
  {
    name: 'a header without a value',
    sent: [...opening, ...envelope, data(), packet('L', 'Subject\0')],
  },
  { name: 'a header without NUL', sent: [...opening, ...envelope, data(), packet('L', 'Subject')] },
  {
    name: 'a header whose value has no NUL',
    sent: [...opening, ...envelope, data(), packet('L', 'Subject\0x')],
  },
  { name: 'an empty header', sent: [...opening, ...envelope, data(), packet('L')] },
  {
    name: 'a header with an empty value',
    sent: [...opening, ...envelope, data(), header('Subject', ''), eoh(), eob()],
  },
  {
    name: 'a folded header',
    sent: [...opening, ...envelope, data(), header('Subject', ' a\n\tb\n c'), eoh(), eob()],
  },
  {
    name: 'every answer to a header',
    sent: [
      ...opening,
      ...['accept', 'reject', 'tempfail', 'discard', 'rejectwith'].flatMap((word) => [
        ...envelope,
        data(),
        header('X', ` answer=${word}`),
        abort(),
      ]),
    ],
  },
  {
    name: 'every answer to the end of headers',
    sent: [
      ...opening,
      ...['accept', 'reject', 'tempfail', 'discard', 'deferwith'].flatMap((word) => [
        ...envelope,
        data(),
        macros('N', { '{wish_eoh}': `answer=${word}` }),
        eoh(),
        abort(),
      ]),
    ],
  },
  {
    name: 'every answer to the body',
    sent: [
      ...opening,
      ...['accept', 'reject', 'tempfail', 'discard', 'skip', 'rejectwith'].flatMap((word) => [
        ...envelope,
        data(),
        eoh(),
        body(`answer=${word};`),
        abort(),
      ]),
    ],
  },
  {
    name: 'more body after skip',
    sent: [...opening, ...envelope, data(), eoh(), body('answer=skip;'), body('x'), eob()],
  },
  { name: 'an empty body packet', sent: [...opening, ...envelope, data(), eoh(), body(''), eob()] },
  {
    name: 'the body with the end of the message',
    sent: [...opening, ...envelope, data(), eoh(), eob('all of the body')],
  },
  {
    name: 'an answer to the body that comes with the end',
    sent: [...opening, ...envelope, data(), eoh(), eob('answer=reject;')],
    differs: {
      ours: ['O 6 ff 100400', 'c', 'c', 'c', 'c', 'c', 'c', 'r', 'alive'],
      why: 'libmilter answers twice, which an MTA takes for the answer to the next message',
    },
  },
  {
    name: 'no body at all',
    sent: [...opening, ...envelope, data(), header('A', ' b'), eoh(), eob()],
  },

  // The end of the message.
  {
    name: 'every answer to the end of the message',
    sent: [
      ...opening,
      ...['accept', 'reject', 'tempfail', 'discard', 'rejectwith', 'deferwith'].flatMap((word) => [
        ...envelope,
        data(),
        ...text,
        macros('E', { '{wish_eom}': `answer=${word}` }),
        eob(),
      ]),
    ],
  },
  { name: 'add a header', sent: [...opening, ...ordered('addheader X-New value with spaces')] },
  {
    name: 'insert headers',
    sent: [...opening, ...ordered('insheader 0 X-A a', 'insheader 1 X-B b')],
  },
  { name: 'change a header', sent: [...opening, ...ordered('chgheader 1 Subject new')] },
  { name: 'delete a header', sent: [...opening, ...ordered('delheader 2 X-Do')] },
  {
    name: 'add and delete recipients',
    sent: [
      ...opening,
      ...ordered('delrcpt <b@example.net>', 'addrcpt <c@d>', 'addrcpt <e@f> NOTIFY=NEVER'),
    ],
  },
  { name: 'change the sender', sent: [...opening, ...ordered('chgfrom <new@sender.test>')] },
  {
    name: 'change the sender with arguments',
    sent: [...opening, ...ordered('chgfrom <new@sender.test> BODY=8BITMIME')],
  },
  { name: 'quarantine', sent: [...opening, ...ordered('quarantine looks odd')] },
  { name: 'progress', sent: [...opening, ...ordered('progress')] },
  { name: 'a new body', sent: [...opening, ...ordered('body 10')] },
  { name: 'a new body of 65535 bytes', sent: [...opening, ...ordered('body 65535')] },
  { name: 'a new body of 65536 bytes', sent: [...opening, ...ordered('body 65536')] },
  { name: 'a new body of 200000 bytes', sent: [...opening, ...ordered('body 200000')] },
  {
    name: 'add a header, the space of its own',
    sent: [optneg(6, 0x1ff, 0xfffff), connect(), helo(), ...ordered('addheader X-New value')],
  },

  {
    name: 'change a header, then add one',
    sent: [...opening, ...ordered('addheader X-New value', 'chgheader 1 X-Do v')],
    differs: {
      ours: [
        'O 6 ff 100400',
        ...Array(9).fill('c'),
        'm 1 X-Do| v|',
        'h X-New| value|',
        'c',
        'alive',
      ],
      why: 'libmilter sends in the order of the calls; ours puts changes first, so that additions do not shift indexes',
    },
  },
  {
    name: 'delete headers in ascending order',
    sent: [...opening, ...ordered('delheader 1 X-Do', 'delheader 2 X-Do')],
    differs: {
      ours: ['O 6 ff 100400', ...Array(9).fill('c'), 'm 2 X-Do||', 'm 1 X-Do||', 'c', 'alive'],
      why: 'libmilter sends in the order of the calls; on Postfix the second deletion would then miss',
    },
  },

  // Coming and going.
  { name: 'abort before anything', sent: [optneg(), abort()] },
  { name: 'abort within a message', sent: [...opening, ...envelope, data(), abort(), ...message] },
  { name: 'abort with data', sent: [...opening, packet('A', 'x'), ...message] },
  { name: 'quit after the message', sent: [...opening, ...message, quit(), ...message] },
  { name: 'quit within a message', sent: [...opening, ...envelope, quit()] },
  {
    name: 'quit, and a new connection',
    sent: [...opening, ...message, quitNewConnection(), connect(), helo(), ...message],
  },
  {
    name: 'a new connection within a message',
    sent: [...opening, ...envelope, quitNewConnection(), connect(), helo(), ...message],
    differs: {
      ours: ['O 6 ff 100400', 'c', 'c', 'c', 'c', ...Array(10).fill('c'), 'alive'],
      why: 'libmilter ignores both the K and the C after it',
    },
  },
  {
    name: 'a new connection that begins with mail',
    sent: [...opening, quitNewConnection(), ...message],
  },
  {
    name: 'unknown commands',
    sent: [...opening, unknown('FOO'), unknown('answer=reject'), ...message],
  },
  {
    name: 'an unknown command within a message',
    sent: [...opening, mail(), unknown('FOO'), rcpt()],
  },
  {
    name: 'an unknown command within a body',
    sent: [...opening, ...envelope, data(), eoh(), unknown('FOO'), eob()],
  },
  {
    name: 'an unknown command without its NUL',
    sent: [...opening, packet('U', 'FOO')],
    differs: {
      ours: ['O 6 ff 100400', 'c', 'c', 'closed'],
      why: 'every text must end, not only those of MAIL and RCPT',
    },
  },
];
