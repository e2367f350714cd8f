import { check } from './check.ts';
import { buildConfiguration, type Configuration } from './configuration.ts';
import { crossCheck } from './cross-checks.ts';
import { readNodes } from './include.ts';
import type { Node } from './parser.ts';
import { type Problem, Problems } from './problem.ts';
import type { Stanza } from './stanza.ts';

export interface Loaded {
  /** Absent where one of the problems is an error. */
  readonly config?: Configuration;
  /** What was read, included files in their places: plain data, fit to be handed to another process. */
  readonly nodes: readonly Node[];
  /** The stanzas as written and merged, as far as they are right. */
  readonly root: Stanza;
  /** In order of file and line. */
  readonly problems: readonly Problem[];
}

/** Reads and checks a configuration file and what it includes. Problems name files as they were given. */
export function loadConfig(file: string): Loaded {
  const problems = new Problems();
  const nodes = readNodes(file, problems);
  const root = check(nodes, file, problems);
  crossCheck(root, problems);
  return {
    ...(!problems.hasErrors && { config: buildConfiguration(root, file) }),
    nodes,
    root,
    problems: problems.sorted(),
  };
}

/** The nodes of a configuration that was found to be right: plain data, fit to be handed to another process. */
export interface NodesInUse {
  readonly file: string;
  readonly started: readonly Node[];
  /** Those of the last reload. */
  readonly latest: readonly Node[];
}

/**
 * The configuration in use: what a reload takes over is that of the last one, and all else, which was opened or agreed
 * upon at the start, stays as it was.
 * @throws Error for nodes that are not right
 */
export function configurationInUse({ file, started, latest }: NodesInUse): Configuration {
  const problems = new Problems();
  const first = check(started, file, problems);
  const root = latest === started ? first : first.afterReload(check(latest, file, problems));
  if (problems.hasErrors) throw new Error(`${file}: not what was checked`);
  return buildConfiguration(root, file);
}
