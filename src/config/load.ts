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

/** The configuration of nodes that `loadConfig` found to be right. @throws Error where they are not */
export function configurationOfNodes(nodes: readonly Node[], file: string): Configuration {
  const problems = new Problems();
  const root = check(nodes, file, problems);
  if (problems.hasErrors) throw new Error(`${file}: not what was checked`);
  return buildConfiguration(root, file);
}
