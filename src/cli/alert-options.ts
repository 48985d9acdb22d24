import { type Command, Option } from 'commander';

/** What `--type` takes. */
export const ALERT_TYPES = 'target, range, rising, falling, no_data, battery or probe_removed';

/** The options of a rule. */
export function withRule(command: Command): Command {
  return withNumbers(command.option('--probe <p>', 'of the device (not for battery)'));
}

/** Named after the columns; AlertManager knows what goes together. */
export function withNumbers(command: Command): Command {
  return command
    .option('--name <n>', 'what to call it')
    .option('--description <d>', 'for whoever gets the message')
    .option('--target-temperature <t>', 'target: the temperature to reach')
    .addOption(new Option('--direction <d>', 'target: from where').choices(['up', 'down']))
    .option('--pre-alert-difference <t>', 'target: tell also when it is so near')
    .option('--min-temperature <t>', 'range: lower limit')
    .option('--max-temperature <t>', 'range: upper limit')
    .option('--critical-min-temperature <t>', 'range: lower limit of the critical tier')
    .option('--critical-max-temperature <t>', 'range: upper limit of the critical tier')
    .option('--threshold-value <t>', 'rising, falling: by how much')
    .option('--window-seconds <s>', 'rising, falling: within how long')
    .option('--silence-minutes <m>', 'no_data: for how long nothing is heard')
    .option('--critical-silence-minutes <m>', 'no_data: the same of the critical tier')
    .option('--battery-percent <n>', 'battery: low at so much')
    .option('--critical-battery-percent <n>', 'battery: the same of the critical tier')
    .addOption(new Option('--temperature-unit <u>', 'of these temperatures').choices(['F', 'C']))
    .option('--hold-seconds <s>', 'for how long before it fires (0: the first reading)')
    .option('--recovery-seconds <s>', 'for how long before it resolves')
    .option('--hysteresis <t>', 'how far back before it resolves')
    .option('--cooldown-seconds <s>', 'after it resolved, silence of the same side')
    .option('--repeat-seconds <s>', 'tell again after so long while it fires, until acknowledged (0: never)')
    .addOption(new Option('--severity <s>', 'how bad it is').choices(['info', 'warning', 'critical']));
}
