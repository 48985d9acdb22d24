import { type Command, Option } from 'commander';
import { UserManager } from '../accounts/user-manager.js';
import type { NotificationStatus } from '../entities/notification.js';
import type { NotificationAttempt } from '../entities/notification-attempt.js';
import { NotificationHistory } from '../notifications/notification-history.js';
import { answering, type Context, publicId, type Row, wholeNumber } from './context.js';
import { deliverNow } from './deliver-now.js';

interface ListOptions {
  email?: string;
  status?: NotificationStatus;
  limit: number;
}

const STATUSES = ['pending', 'delivered', 'failed', 'expired'] as const satisfies NotificationStatus[];
const COLUMNS = [
  'id',
  'created_at',
  'subject',
  'alert',
  'device_id',
  'probe_id',
  'kind',
  'status',
  'attempts',
  'delivered_at',
  'held_until',
  'last_error',
];

export function notificationCommand(program: Command, context: Context): void {
  const notification = program.command('notification').description('what was sent, and how that went');
  const history = async () => new NotificationHistory(await context.manager());

  answering(notification, 'list', 'show notifications, the newest first')
    .option('--email <e>', 'of the user (default: of all)')
    .addOption(new Option('--status <s>', 'only these').choices(STATUSES))
    .option('--limit <n>', 'at most so many', wholeNumber(1, 10_000), 50)
    .action(async ({ email, status, limit }: ListOptions) => {
      const users = new UserManager(await context.manager());
      const userId = email === undefined ? undefined : (await users.getByEmail(email)).id;
      context.list(await (await history()).list({ userId, status, limit }), COLUMNS);
    });
  answering(notification, 'show', 'show a notification with each attempt to deliver it')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => {
      const sent = await history();
      const view = await sent.get(id);
      context.show({ ...view, attempts: (await sent.attempts(id)).map(toTry) });
    });
  answering(notification, 'replay', 'send one that has ended once more, and show how it went')
    .argument('<id>', 'its id', publicId)
    .action(async (id: string) => {
      await (await history()).replay(id);
      await deliverNow(context, id, 'notification');
    });
}

function toTry(tried: NotificationAttempt): Row {
  const { attempt, outcome, receipt, error } = tried;
  const times = { started_at: tried.startedAt, latency_ms: tried.latencyMs };
  return { attempt, ...times, outcome, status_code: tried.statusCode, receipt, error };
}
