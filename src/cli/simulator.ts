import type { Command } from 'commander';
import { Lifecycle } from '../lifecycle.js';
import { runProcess } from '../main.js';
import { startSimulator } from '../simulator/simulator.js';
import { answering, type Context, wholeNumber } from './context.js';

interface SimulatorCommandOptions {
  port: number;
  accounts: number;
  devices: number;
  seed: number;
  speed: number;
}

export function simulatorCommand(program: Command, context: Context): void {
  answering(program, 'simulator', 'a local ThermoWorks Cloud, until it is stopped')
    .option('--port <n>', 'where it listens (0: a free port)', wholeNumber(0, 65_535), 0)
    .option('--accounts <n>', 'how many logins', wholeNumber(1, 10_000), 1)
    .option('--devices <n>', 'of each login', wholeNumber(1, 256), 4)
    .option('--seed <n>', 'the same seed, the same cooks', wholeNumber(0, 2 ** 31 - 1), 1)
    .option('--speed <n>', 'simulated seconds in one second', wholeNumber(1, 10_000), 1)
    .action(async (options: SimulatorCommandOptions) => {
      context.exitCode = await runProcess(async () => {
        const simulator = await startSimulator(options);
        const lifecycle = new Lifecycle();
        lifecycle.onClose('simulator', () => simulator.close());
        const accounts = simulator.accounts.map(({ email, password, refresh_token }) => {
          return { email, password, refresh_token };
        });
        context.show({ url: simulator.url, accounts });
        return { lifecycle };
      }, context.logger);
    });
}
