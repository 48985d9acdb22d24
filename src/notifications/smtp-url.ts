import { z } from 'zod';

/** What `SMTP_URL` says. */
export interface SmtpSettings {
  host: string;
  port: number;
  /** TLS from the first byte; else STARTTLS where the server offers it. */
  secure: boolean;
  auth?: { user: string; pass: string };
  /** The address of the sender. */
  from: string;
}

/** `smtp[s]://[user:password@]host[:port]/[?from=ADDRESS]`; undefined for anything else, or without a sender's address. */
export function parseSmtpUrl(text: string): SmtpSettings | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, username, password, hostname, port, pathname, searchParams } = new URL(text);
  const secure = protocol === 'smtps:';
  if ((protocol !== 'smtp:' && !secure) || hostname === '' || !/^\/?$/.test(pathname)) return undefined;
  const [user, pass] = [decoded(username), decoded(password)];
  if (user === undefined || pass === undefined) return undefined;
  const from = z.email().safeParse(searchParams.get('from') ?? user);
  const others = [...searchParams.keys()].filter((name) => name !== 'from');
  if (!from.success || others.length > 0) return undefined;
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    ...(user !== '' && { auth: { user, pass } }),
    from: from.data,
  };
}

/** Without percent-encoding; undefined where that is malformed. */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
