import { execFileSync } from 'node:child_process';
import { requireProgram } from './peer-process.ts';

/** A service of a compose file, as far as tests look at it. */
export interface ComposeService {
  readonly image: string;
  readonly command: readonly string[];
  readonly hostname: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly volumes: readonly string[];
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly healthcheck: { readonly test: readonly string[] };
}

/** Checks and merges compose files, and returns their services by name. */
export function composeServices(
  folder: string,
  files: readonly string[],
): Readonly<Record<string, ComposeService>> {
  const compose = requireProgram('docker-compose', 'docker-compose');
  const named = files.flatMap((file) => ['--file', file]);
  const yaml = execFileSync(compose, [...named, 'config'], { cwd: folder });
  const toJson = 'import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)';
  return JSON.parse(execFileSync('python3', ['-c', toJson], { input: yaml, encoding: 'utf8' }))
    .services;
}
