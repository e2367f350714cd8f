/**
 * `npm run image`: writes an OCI image per architecture, without a container engine: Debian's C and
 * C++ libraries as the first layer, the tree of packaging/tree.sh with its Node.js as the second.
 * The archive is also one of `docker save`, so every engine loads it.
 *
 * Usage: tsx scripts/image.ts [FOLDER [amd64|arm64]…]; default: the checkout, and both.
 * Needs apt-get and dpkg of Debian, and its archive and npm's registry.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const checkout = join(import.meta.dirname, '..');
const { version, description, license } = JSON.parse(
  readFileSync(join(checkout, 'package.json'), 'utf8'),
) as Record<'version' | 'description' | 'license', string>;

const SUITE = 'trixie';
/** What Node.js is linked with. */
const LIBRARIES = ['libc6', 'libgcc-s1', 'libstdc++6'];
/** The user of the service: as in other images without a shell. */
const USER = 65532;
const HOME = '/usr/lib/clickmilter';
const STATE = '/var/lib/clickmilter';
const PORTS = [8893, 8080, 8894];

const run = (program: string, args: readonly string[], cwd = checkout) =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** The time of all files: the same commit makes the same image of the same Debian packages. */
const time = new Date(1000 * Number(process.env['SOURCE_DATE_EPOCH'] ?? commitTime()));

/** In Unix seconds; now, where this is not a clone. */
function commitTime(): string {
  try {
    return run('git', ['log', '-1', '--format=%ct']);
  } catch {
    return String(Math.floor(Date.now() / 1000));
  }
}

interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

function write(file: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
}

/** The libraries, and who is who. Debian's packages are unpacked, not installed. */
function makeBase(root: string, architecture: string, work: string): void {
  const apt = join(work, 'apt');
  for (const folder of [
    'etc/apt/apt.conf.d',
    'etc/apt/preferences.d',
    'var/lib/apt/lists/partial',
    'var/cache/apt/archives/partial',
  ]) {
    mkdirSync(join(apt, folder), { recursive: true });
  }
  const mirror = process.env['DEBIAN_MIRROR'] ?? 'http://deb.debian.org/debian';
  const key = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
  write(
    join(apt, 'etc/apt/sources.list'),
    `deb ${key} ${mirror} ${SUITE} main\ndeb ${key} ${mirror} ${SUITE}-updates main\n` +
      `deb ${key} ${mirror}-security ${SUITE}-security main\n`,
  );
  write(join(apt, 'var/lib/dpkg/status'), '');
  const options = [
    ['Dir', apt],
    ['Dir::State::status', join(apt, 'var/lib/dpkg/status')],
    ['APT::Architecture', architecture],
    ['APT::Architectures', architecture],
    ['APT::Sandbox::User', 'root'],
    ['Acquire::Languages', 'none'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run('apt-get', [...options, '-qq', 'update']);
  run('apt-get', [...options, '-qq', 'download', ...LIBRARIES], work);

  for (const folder of ['lib', 'lib64']) {
    mkdirSync(join(root, 'usr', folder), { recursive: true });
    symlinkSync(`usr/${folder}`, join(root, folder));
  }
  for (const file of readdirSync(work)
    .filter((name) => name.endsWith('.deb'))
    .sort()) {
    run('dpkg-deb', ['-x', file, root], work);
  }
  // Conversions between character sets that nothing here uses, and what is for people and linters.
  for (const path of ['usr/share/lintian', 'usr/share/gcc', 'usr/share/gdb', 'etc/ld.so.conf.d']) {
    rmSync(join(root, path), { recursive: true, force: true });
  }
  run('find', [root, '-type', 'd', '-name', 'gconv', '-prune', '-exec', 'rm', '-r', '{}', '+']);
  write(
    join(root, 'etc/passwd'),
    `root:x:0:0:root:/:/nonexistent\nclickmilter:x:${USER}:${USER}:clickmilter:${STATE}:/nonexistent\n`,
  );
  write(join(root, 'etc/group'), `root:x:0:\nclickmilter:x:${USER}:\n`);
  write(join(root, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
  for (const folder of ['tmp', 'proc', 'sys', 'dev', 'etc/clickmilter']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  chmodSync(join(root, 'tmp'), 0o1777);
}

/** The program, which the kernel starts by its first line: there is no shell. */
function makeProgram(root: string, architecture: string): void {
  const tree = join(root, HOME);
  run('sh', ['packaging/tree.sh', tree, architecture]);
  for (const part of ['bin', 'conf', 'docs', 'man', 'completions', 'systemd']) {
    rmSync(join(tree, part), { recursive: true });
  }
  const program = join(tree, 'dist/cli.js');
  const code = readFileSync(program, 'utf8').replace(/^#!.*\n/, '');
  writeFileSync(program, `#!/usr/bin/node\n${code}`);
  chmodSync(program, 0o755);
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  symlinkSync(`${HOME}/runtime/node`, join(root, 'usr/bin/node'));
  symlinkSync(`${HOME}/dist/cli.js`, join(root, 'usr/bin/clickmilter'));
}

/** Writes an image archive. */
class Image {
  readonly #folder: string;
  readonly #layers: { readonly blob: Blob; readonly diffId: string }[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  }

  /** @param owned folders of the service's user, below `root` */
  layer(root: string, owned: readonly string[] = []): void {
    const layer = join(this.#folder, 'layer');
    const tar = [
      '--sort=name',
      `--mtime=@${time.getTime() / 1000}`,
      '--numeric-owner',
      '--format=pax',
    ];
    const noTimes = '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime';
    const skipped = owned.map((path) => `--exclude=.${path}`);
    run('tar', [
      '-C',
      root,
      ...tar,
      noTimes,
      '--owner=0',
      '--group=0',
      ...skipped,
      '-cf',
      layer,
      '.',
    ]);
    for (const path of owned) {
      const owner = [`--owner=${USER}`, `--group=${USER}`];
      run('tar', ['-C', root, ...tar, noTimes, ...owner, '-rf', layer, `.${path}`]);
    }
    const bytes = readFileSync(layer);
    rmSync(layer);
    this.#layers.push({
      blob: this.#blob('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(bytes)),
      diffId: digestOf(bytes),
    });
  }

  write(architecture: string, file: string): void {
    const created = time.toISOString();
    const config = this.#json('application/vnd.oci.image.config.v1+json', {
      created,
      architecture,
      os: 'linux',
      config: {
        User: `${USER}:${USER}`,
        ExposedPorts: Object.fromEntries(PORTS.map((port) => [`${port}/tcp`, {}])),
        Env: ['PATH=/usr/bin', 'NODE_ENV=production'],
        Entrypoint: ['/usr/bin/clickmilter'],
        Cmd: ['run'],
        Volumes: { [STATE]: {} },
        WorkingDir: STATE,
        StopSignal: 'SIGTERM',
        Labels: {
          'org.opencontainers.image.title': 'clickmilter',
          'org.opencontainers.image.description': description,
          'org.opencontainers.image.version': version,
          'org.opencontainers.image.licenses': license,
        },
      },
      rootfs: { type: 'layers', diff_ids: this.#layers.map(({ diffId }) => diffId) },
      history: this.#layers.map(() => ({ created, created_by: 'scripts/image.ts' })),
    });
    const layers = this.#layers.map(({ blob }) => blob);
    const manifest = this.#json('application/vnd.oci.image.manifest.v1+json', {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config,
      layers,
    });
    const annotations = {
      'org.opencontainers.image.ref.name': version,
      'io.containerd.image.name': `docker.io/library/clickmilter:${version}`,
    };
    const platform = { architecture, os: 'linux' };
    const pathOf = ({ digest }: Blob) => `blobs/${digest.replace(':', '/')}`;
    const parts = {
      'oci-layout': { imageLayoutVersion: '1.0.0' },
      'index.json': {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [{ ...manifest, platform, annotations }],
      },
      'manifest.json': [
        {
          Config: pathOf(config),
          RepoTags: [`clickmilter:${version}`],
          Layers: layers.map(pathOf),
        },
      ],
    };
    for (const [name, value] of Object.entries(parts)) {
      writeFileSync(join(this.#folder, name), JSON.stringify(value));
    }
    const names = ['oci-layout', 'index.json', 'manifest.json', 'blobs'];
    const tar = ['--sort=name', `--mtime=@${time.getTime() / 1000}`, '--owner=0', '--group=0'];
    run('tar', ['-C', this.#folder, ...tar, '--numeric-owner', '-cf', file, ...names]);
  }

  #json(mediaType: string, value: unknown): Blob {
    return this.#blob(mediaType, Buffer.from(JSON.stringify(value)));
  }

  #blob(mediaType: string, bytes: Buffer): Blob {
    const digest = digestOf(bytes);
    writeFileSync(join(this.#folder, 'blobs', digest.replace(':', '/')), bytes);
    return { mediaType, digest, size: bytes.length };
  }
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

process.umask(0o022);
const [folder = checkout, ...architectures] = process.argv.slice(2);
for (const architecture of architectures.length > 0 ? architectures : ['amd64', 'arm64']) {
  const work = mkdtempSync(join(tmpdir(), 'image-'));
  try {
    const [base, program] = [join(work, 'base'), join(work, 'program')];
    makeBase(base, architecture, work);
    mkdirSync(join(program, STATE), { recursive: true });
    chmodSync(join(program, STATE), 0o700);
    makeProgram(program, architecture);
    const image = new Image(join(work, 'image'));
    image.layer(base);
    image.layer(program, [STATE]);
    const file = join(resolve(folder), `clickmilter-${version}-image-${architecture}.tar`);
    image.write(architecture, file);
    process.stderr.write(`image: ${file}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
