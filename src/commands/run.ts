import type { Command } from 'commander';
import { isShared, type Role } from '../service/listen.ts';
import { RunningWorker } from '../service/workers/running-worker.ts';
import { workerSlot } from '../service/workers/worker.ts';
import { roleOption, rolesOf } from './role-option.ts';

/** `clickmilter run`: the service, until a signal ends it. */
export function runCommand(program: Command): void {
  program
    .command('run')
    .description('run the service')
    .addOption(roleOption('only these parts of it; all when none is named'))
    .option(
      '--hand-over',
      'on SIGTERM leave open sessions to the workers and end at once, as systemd needs it with KillMode=process',
    )
    .action(async ({ role, handOver = false }: { role?: Role[]; handOver?: boolean }) => {
      // Until a socket has the mode that is configured, nobody else may use it; keys and journals
      // are nobody else's.
      process.umask(0o077);
      const wanted = rolesOf(role);
      const slot = workerSlot();
      if (slot !== undefined) {
        const { runWorker } = await import('./run-worker.ts');
        return runWorker(wanted.filter(isShared), slot, handOver);
      }
      // At once, since nobody listens before a worker has loaded the program: it does so while this
      // process reads the configuration.
      const ahead = handOver && wanted.some(isShared) ? new RunningWorker(1) : undefined;
      const { runService } = await import('./run-service.ts');
      return runService(program, { wanted, handOver }, ahead);
    });
}
