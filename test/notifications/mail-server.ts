import { createServer, type Server, type Socket } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';

/** One message as it arrived. */
interface Arrived {
  sender: string | undefined;
  recipients: string[];
  raw: string;
  mail: Email;
}

type Stage = 'AUTH' | 'MAIL' | 'RCPT' | 'DATA';

export interface MailServer {
  port: number;
  arrived: Arrived[];
  /** Stages at which it answers with an error: its text after the code. Nothing is refused unless set. */
  refusals: Partial<Record<Stage, { code: number; text: string }>>;
  close(): Promise<void>;
}

/**
 * A real mail server on loopback; with a password, it takes mail only from `cook` with `secret/@`; secure, it speaks TLS
 * from the first byte, with a certificate that nobody trusts.
 */
export async function startMailServer({ password = false, secure = false } = {}): Promise<MailServer> {
  const refusal = (stage: Stage) => {
    const given = server.refusals[stage];
    return given && Object.assign(new Error(given.text), { responseCode: given.code });
  };
  const smtp = new SMTPServer({
    logger: false,
    secure,
    hideSTARTTLS: true,
    allowInsecureAuth: true,
    authOptional: !password,
    disableReverseLookup: true,
    onAuth: ({ username, password: given }, _session, done) => {
      const wrong = username === 'cook' && given === 'secret/@' ? undefined : new Error('5.7.8 Go away');
      const error = refusal('AUTH') ?? wrong;
      if (error) done(error);
      else done(null, { user: username });
    },
    onMailFrom: (_address, _session, done) => done(refusal('MAIL')),
    onRcptTo: (_address, _session, done) => done(refusal('RCPT')),
    onData: async (stream, { envelope }, done) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      const error = refusal('DATA');
      if (error) return done(error);
      const raw = Buffer.concat(chunks);
      server.arrived.push({
        sender: envelope.mailFrom ? envelope.mailFrom.address : undefined,
        recipients: envelope.rcptTo.map(({ address }) => address),
        raw: raw.toString('latin1'),
        mail: await PostalMime.parse(raw),
      });
      done(null, `2.0.0 queued as ${server.arrived.length}`);
    },
  });
  // A client that hangs up is its own affair.
  smtp.on('error', () => undefined);
  const port = await listen(smtp.server);
  const server: MailServer = {
    port,
    arrived: [],
    refusals: {},
    close: () => new Promise((resolve) => smtp.close(() => resolve())),
  };
  return server;
}

/**
 * A mail server that stops behaving: it answers each line as `answer` says, undefined meaning not at all, null meaning that
 * it hangs up.
 */
export async function startOddServer(answer: (line: string) => string | undefined | null) {
  const sockets = new Set<Socket>();
  const lines: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    const say = (line: string) => {
      const said = answer(line);
      if (said === null) socket.destroy();
      else if (said !== undefined) socket.write(said);
    };
    socket.on('error', () => socket.destroy());
    let rest = '';
    socket.on('data', (data) => {
      const parts = (rest + data.toString('latin1')).split('\r\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        lines.push(line);
        say(line);
      }
    });
    say('');
  });
  const port = await listen(server);
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { port, lines, close };
}

async function listen(server: Server | SMTPServer['server']): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
