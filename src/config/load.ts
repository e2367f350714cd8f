import { check } from './check.ts';
import { checkFiles } from './check-files.ts';
import { buildConfiguration, type Configuration, contextOf } from './configuration.ts';
import { crossCheck } from './cross-checks.ts';
import { readNodes } from './include.ts';
import type { Node } from './parser.ts';
import { type Problem, Problems } from './problem.ts';
import type { Stanza } from './stanza.ts';

export interface Loaded {
  /** Absent if one of the problems is an error. */
  readonly config?: Configuration;
  /**
   * The nodes that were read, with included files in their places. They are plain data, fit for
   * another process.
   */
  readonly nodes: readonly Node[];
  /** The stanzas, merged, as far as they are valid. */
  readonly root: Stanza;
  /** In order of file and line. */
  readonly problems: readonly Problem[];
}

/**
 * Reads and checks a configuration file with its includes. Problems name files as they were given.
 */
export function loadConfig(file: string): Loaded {
  const problems = new Problems();
  const nodes = readNodes(file, problems);
  const root = check(nodes, file, problems);
  crossCheck(root, problems);
  checkFiles(root, contextOf(root, file), problems);
  return {
    ...(!problems.hasErrors && { config: buildConfiguration(root, file) }),
    nodes,
    root,
    problems: problems.sorted(),
  };
}

/** The nodes of a valid configuration. They are plain data, fit for another process. */
export interface NodesInUse {
  readonly file: string;
  readonly started: readonly Node[];
  /** The nodes of the last reload. */
  readonly latest: readonly Node[];
}

/**
 * The configuration in use. Options that a reload applies are those of the last reload; other
 * options, such as addresses that were opened at the start, are unchanged.
 * @throws Error for invalid nodes
 */
export function configurationInUse({ file, started, latest }: NodesInUse): Configuration {
  const problems = new Problems();
  const first = check(started, file, problems);
  const root = latest === started ? first : first.afterReload(check(latest, file, problems));
  if (problems.hasErrors) throw new Error(`${file}: the nodes are not valid`);
  return buildConfiguration(root, file);
}
