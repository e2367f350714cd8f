import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { load } from 'cheerio';
import { Tokenizer } from 'htmlparser2';
import type {
  openContent as OpenContent,
  readPart as ReadPart,
} from '../../src/message/read-part.ts';
import type { ReadingOptions } from '../../src/message/reading-options.ts';
import { type Newsletter, newsletter } from '../helpers/newsletter.ts';
import type { Bench, Part, Row } from './harness.ts';
import { peerFile } from './milters.ts';
import { Rounds } from './rounds.ts';

const SIZES = [5, 20, 60, 120];

/** The transform alone, in this process: what a message of some size costs, and each step of it. */
export const message: Part = {
  name: 'message',
  async run(bench) {
    const steps = await stepsOf(dirname(bench.cli));
    // As milters on Node are warmed up, and for the same reason: all sizes run the same code.
    const letters = lettersOf(20);
    for (const step of Object.values(steps)) each(letters, step, 10 * milliseconds(bench));
    const rows: Row[] = [];
    for (const size of SIZES) {
      rows.push(...(await ofSize(size, steps, bench)));
    }
    return rows;
  },
};

type Micros = Record<'µs', number>;

async function ofSize(kilobytes: number, steps: Steps, bench: Bench): Promise<Row[]> {
  const letters = lettersOf(kilobytes);
  const python = await bench.attempt(() => pythonOf(letters, bench));
  const timed = (step: Step) => async () => each(letters, step, milliseconds(bench));
  const rounds = await Rounds.run<keyof Micros>(bench.options.rounds, {
    clickmilter: timed(steps.transform),
    'MIME alone': timed(steps.findParts),
    'MIME, decode': timed(steps.decode),
    'MIME, decode, find': timed(steps.find),
    'our scanner': timed(steps.scan),
    'htmlparser2 Tokenizer': timed(steps.tokenize),
    cheerio: timed(steps.cheerio),
    lxml: python && (() => python('lxml')),
    bs4: python && (() => python('bs4')),
  });
  const what = `${kilobytes} KB newsletter`;
  const bytes = letters.reduce((sum, { body }) => sum + body.length, 0) / letters.length;
  const speed = bytes / rounds.median('clickmilter', 'µs');
  bench.say(`  ${what}: ${speed.toFixed(0)} MB/s from bytes to bytes`);
  return [
    ...rounds.row(
      `transform of a ${what}`,
      'µs',
      'µs',
      'clickmilter',
      'cheerio',
      kilobytes === 20 ? { atMost: 0.1 } : undefined,
    ),
    ...rounds.row(`transform of a ${what}`, 'µs', 'µs', 'clickmilter', 'lxml'),
    ...rounds.row(`transform of a ${what}`, 'µs', 'µs', 'clickmilter', 'bs4'),
    ...['MIME alone', 'MIME, decode', 'MIME, decode, find'].flatMap((steps) =>
      rounds.row(`  of the ${kilobytes} KB`, 'µs', 'µs', steps, 'clickmilter'),
    ),
    ...rounds.row(`tags of a ${what}`, 'µs', 'µs', 'our scanner', 'htmlparser2 Tokenizer', {
      atMost: 0.5,
    }),
  ];
}

/** So many, that none is remembered when its turn comes again. */
function lettersOf(kilobytes: number): Newsletter[] {
  return Array.from({ length: Math.ceil(4000 / kilobytes) }, (_, seed) =>
    newsletter({ size: kilobytes * 1000, seed }),
  );
}

/** Of one measurement. */
function milliseconds(bench: Bench): number {
  return bench.options.quick ? 20 : 300;
}

type Step = (letter: Newsletter) => unknown;

/** Microseconds a message, going through all of them again and again. */
function each(letters: readonly Newsletter[], step: Step, milliseconds: number): Micros {
  const start = performance.now();
  let done = 0;
  while (performance.now() - start < milliseconds) {
    for (const letter of letters) {
      step(letter);
    }
    done += letters.length;
  }
  return { µs: ((performance.now() - start) * 1000) / done };
}

interface Parts {
  readonly openContent: typeof OpenContent;
  readonly readPart: typeof ReadPart;
}

type Steps = Awaited<ReturnType<typeof stepsOf>>;

/** Of the built program, since what runs TypeScript directly adds a call to every function it makes. */
async function stepsOf(dist: string) {
  const built = async <Module>(file: string): Promise<Module> =>
    import(join(dist, 'message', file));
  type Face = typeof import('../../src/message/message.ts');
  const { DEFAULT_LIMITS, openMessage } = await built<Face>('message.js');
  type Mime = typeof import('../../src/message/top-parts.ts');
  const { TopParts } = await built<Mime>('top-parts.js');
  const { openContent, readPart } = await built<Parts>('read-part.js');
  type Scanning = typeof import('../../src/message/html-scanner.ts');
  const { HtmlScanner } = await built<Scanning>('html-scanner.js');
  type Names = typeof import('../../src/message/html-tag.ts');
  const { NameSet } = await built<Names>('html-tag.js');

  const options: ReadingOptions = {
    limits: DEFAULT_LIMITS,
    rewriteSigned: false,
    clickTrackingParts: 'both',
    excludeSelectors: [],
    placeholders: 'leave',
    unsubscribeLinks: 'leave',
    trackUrlText: true,
    ownDomains: new Set<string>(),
  };
  const findParts = ({ headers, body }: Newsletter) => {
    const parts = new TopParts(headers, DEFAULT_LIMITS);
    parts.write(body);
    parts.end();
    return parts;
  };
  const scanner = new HtmlScanner(['a', 'area', 'base'], new NameSet(['href']));
  return {
    findParts,
    decode(letter: Newsletter): void {
      const { body, found } = findParts(letter);
      for (const { start, end, encoding } of found) {
        openContent(body.slice(start, end), encoding);
      }
    },
    find(letter: Newsletter): void {
      const { body, found } = findParts(letter);
      for (const part of found) {
        readPart(part, body.slice(part.start, part.end), options);
      }
    },
    scan({ html }: Newsletter): void {
      scanner.scan(html, { tag: ignore });
    },
    transform({ headers, body }: Newsletter): void {
      const open = openMessage(headers, options);
      open.write(body);
      let number = 0;
      open.end().rewrite(() => `https://click.example.com/abcdefghijklmnopqrst${number++}`);
    },
    tokenize,
    cheerio: ({ html }: Newsletter) => load(html).html(),
  };
}

const ignore = () => undefined;

function tokenize({ html }: Newsletter): void {
  const tokenizer = new Tokenizer(
    { xmlMode: false, decodeEntities: true },
    {
      onattribdata: ignore,
      onattribentity: ignore,
      onattribend: ignore,
      onattribname: ignore,
      oncdata: ignore,
      onclosetag: ignore,
      oncomment: ignore,
      ondeclaration: ignore,
      onend: ignore,
      onopentagend: ignore,
      onopentagname: ignore,
      onprocessinginstruction: ignore,
      onselfclosingtag: ignore,
      ontext: ignore,
      ontextentity: ignore,
    },
  );
  tokenizer.write(html);
  tokenizer.end();
}

const run = promisify(execFile);

/** Debian's, for its packages. */
const PYTHON = '/usr/bin/python3';

/** What reads the HTML, puts other links in and writes it again in Python. */
async function pythonOf(letters: readonly Newsletter[], bench: Bench) {
  await run(PYTHON, ['-c', 'import lxml, bs4']).catch(() => {
    throw new Error("install Debian's packages python3-bs4 and python3-lxml");
  });
  const files = await Promise.all(
    letters.map(async ({ html }, index) => {
      const file = join(bench.dir, `letter-${index}.html`);
      await writeFile(file, html);
      return file;
    }),
  );
  const seconds = bench.options.quick ? '0.05' : '1';
  return async (library: 'lxml' | 'bs4'): Promise<Micros> => {
    const script = [peerFile('rewrite-html.py'), library, seconds, ...files];
    const { stdout } = await run(PYTHON, script);
    return { µs: Number(stdout) };
  };
}
