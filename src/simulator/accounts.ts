import { Device } from './device.js';
import { accountIndexOf } from './kinds.js';
import { hex } from './random.js';
import { applyPatch, type Patch } from './recording.js';
import { encodeFields, type Fields } from './value.js';

export interface AccountsOptions {
  accounts: number;
  devices: number;
  seed: number;
  demo: boolean;
  startMs: number;
  deviceDelayMs: number;
}

/** One user of the cloud: who it is, which tokens it holds, and its devices, which exist once they are asked for. */
export class Account {
  readonly email: string;
  readonly password: string;
  readonly uid: string;
  readonly accountId: string;
  /** Text every refresh token of this account begins with. */
  readonly refreshBase: string;
  patch: Patch = {};
  /** When `users/{uid}` was last written, in microseconds since 1970. */
  updatedMicros: number;
  /** How refresh tokens rotate; unset: the token comes back as it was sent. */
  rotation: 'strict' | 'lenient' | undefined;
  /** The message that a refresh is refused with. */
  revoked: string | undefined;
  tokenSeconds = 3600;
  /** Access tokens of an earlier generation answer 401. */
  generation = 0;
  private newest = 0;
  private oldest = 0;
  private made: Device[] | undefined;

  constructor(
    readonly index: number,
    private readonly options: AccountsOptions,
  ) {
    const { seed } = options;
    this.updatedMicros = options.startMs * 1000;
    this.email = `cook${index + 1}@example.test`;
    this.password = `pw-${hex(12, seed, index, 'password')}`;
    this.uid = `uid${hex(25, seed, index, 'uid')}`;
    this.accountId = `acc${hex(17, seed, index, 'account')}`;
    this.refreshBase = `AMf-${hex(48, seed, index, 'refresh')}`;
  }

  /** In the order of their making, removed ones too; advanced to now. */
  devices(nowMs: number): Device[] {
    const { options } = this;
    this.made ??= Array.from({ length: options.devices }, (_, deviceIndex) => {
      const place = { seed: options.seed, accountIndex: this.index, deviceIndex, demo: options.demo };
      return new Device(place, this.accountId, options.startMs, options.deviceDelayMs);
    });
    for (const device of this.made) device.advance(nowMs);
    return this.made;
  }

  get refreshToken(): string {
    return this.newest === 0 ? this.refreshBase : `${this.refreshBase}.${this.newest}`;
  }

  acceptsRefreshToken(token: string): boolean {
    const issued = token === this.refreshBase ? 0 : Number(token.slice(this.refreshBase.length + 1));
    return issued >= this.oldest && issued <= this.newest;
  }

  /** After an accepted refresh: the next token where tokens rotate. */
  rotate(): void {
    if (this.rotation) this.newest += 1;
    if (this.rotation === 'strict') this.oldest = this.newest;
  }

  /** A password sign-in after a revocation makes a new token; the old ones stay dead. */
  renew(): void {
    if (this.revoked) this.oldest = this.newest += 1;
    this.revoked = undefined;
  }

  /** Ends every fault of the account, its devices and probes. What they wrote stays. */
  clear(nowMs: number): void {
    for (const device of this.made ? this.devices(nowMs) : []) {
      for (const document of [...device.probes.values(), device]) {
        if (document.fault || Object.keys(document.patch).length > 0) device.touch(document, nowMs);
        Object.assign(document, { fault: undefined, patch: {} });
      }
    }
    Object.assign(this, { patch: {}, rotation: undefined, revoked: undefined, tokenSeconds: 3600 });
  }

  /** Every second account has no `deviceOrder`, as users who own nothing but RFX devices. */
  fields(nowMs: number): Fields {
    const ids = this.devices(nowMs).flatMap(({ id, fault }) => (fault === 'removed' ? [] : [id]));
    const deviceOrder = { [this.accountId]: ids.map((deviceId, order) => ({ deviceId, order })) };
    const fields = encodeFields({
      accountId: this.accountId,
      uid: this.uid,
      email: this.email,
      displayName: '',
      preferredUnits: this.index % 2 === 0 ? 'F' : 'C',
      timeZone: 'America/Denver',
      locale: 'en-US',
      lastLogin: new Date(this.options.startMs),
      lastSeenInApp: null,
      exportVersion: 0.6,
      accountRoles: { accountAdmin: true },
      deviceOrder: this.index % 2 === 0 ? deviceOrder : undefined,
      fcmTokens: { null: true },
    });
    return applyPatch(fields, this.patch);
  }
}

/** Every account, found by what a request carries. */
export class Accounts {
  readonly all: Account[];
  private readonly byText = new Map<string, Account>();

  constructor(options: AccountsOptions) {
    this.all = Array.from({ length: options.accounts }, (_, index) => new Account(index, options));
    for (const account of this.all) {
      for (const key of [account.email, account.uid, account.refreshBase]) this.byText.set(key, account);
    }
  }

  /** By e-mail address, uid or refresh token. */
  find(text: string): Account | undefined {
    return this.byText.get(text) ?? this.byText.get(text.split('.')[0] ?? '');
  }

  /** The device of this serial and its owner, advanced to now. */
  findDevice(serial: string, nowMs: number): { owner: Account; device: Device } | undefined {
    const owner = this.all[accountIndexOf(serial)];
    const device = owner?.devices(nowMs).find(({ id }) => id === serial);
    return owner && device && { owner, device };
  }
}
