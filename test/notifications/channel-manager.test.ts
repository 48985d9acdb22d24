import { expect } from 'chai';
import { v7 } from 'uuid';
import { SecretError } from '../../src/accounts/secret-box.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { InputError, NotFoundError } from '../../src/errors.js';
import { openTarget } from '../../src/notifications/channel.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { CHANNELS } from '../../src/notifications/channels.js';
import { createOutbound } from '../../src/notifications/outbound.js';
import { addChannel, outbound, secretBox, startWorld, type World } from './world.js';

describe('ChannelManager', () => {
  let world: World;
  let manager: ChannelManager;

  before(async () => {
    world = await startWorld();
    manager = new ChannelManager(world.dataSource.manager, { channels: CHANNELS, secretBox, outbound });
  });
  afterEach(() => world.dataSource.manager.deleteAll(NotificationChannel));
  after(() => world.close());

  const stored = (id: string) =>
    world.dataSource.manager.findOneByOrFail(NotificationChannel, { publicId: id });

  it('makes a webhook’s secret, tells it once and keeps it sealed for this row', async () => {
    const { secret, ...view } = await addChannel(world, 'webhook', 'http://127.0.0.1:9/in?key=hidden');
    expect(secret).to.match(/^whsec_/);
    expect(view).to.deep.include({
      kind: 'webhook',
      is_active: true,
      last_proven_at: null,
      last_error: null,
    });
    expect(view.config).to.deep.equal({ url: 'http://127.0.0.1:9/in' });
    const row = await stored(view.id);
    expect(JSON.stringify(row.config)).to.not.include(secret?.slice(6));
    expect(openTarget(secretBox, row)).to.deep.equal({ url: 'http://127.0.0.1:9/in?key=hidden', secret });
    const listed = await manager.list(world.user.id);
    expect(listed).to.deep.equal([view]);
    expect(await manager.get(view.id)).to.deep.equal(view);
  });

  it('does not repeat a secret that was given', async () => {
    const given = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    expect(await addChannel(world, 'webhook', 'http://127.0.0.1:9/', given)).to.not.have.any.keys('secret');
    const push = await addChannel(world, 'ntfy', 'http://127.0.0.1:9/topic', 'tk_token');
    expect(push).to.not.have.any.keys('secret');
    expect(JSON.stringify((await stored(push.id)).config)).to.not.include('tk_token');
  });

  it('does not open a secret that was moved to another channel of the same user', async () => {
    const [one, two] = [
      await addChannel(world, 'webhook', 'http://127.0.0.1:9/'),
      await addChannel(world, 'webhook', 'http://127.0.0.1:9/'),
    ];
    const moved = Object.assign(await stored(one.id), { config: (await stored(two.id)).config });
    expect(() => openTarget(secretBox, moved)).to.throw(SecretError);
  });

  it('refuses private addresses, kinds that are not there and bad secrets, and keeps nothing of them', async () => {
    const guarded = new ChannelManager(world.dataSource.manager, {
      channels: CHANNELS,
      secretBox,
      outbound: createOutbound({ allowPrivate: false }),
    });
    const attempts: [
      ChannelManager,
      Parameters<ChannelManager['create']>[0]['kind'],
      string,
      string | null,
    ][] = [
      [guarded, 'webhook', 'https://127.0.0.1/', null],
      [guarded, 'ntfy', 'https://2130706433/topic', null],
      [manager, 'email', 'http://127.0.0.1:9/', null],
      [manager, 'webhook', 'http://127.0.0.1:9/', 'short'],
      [manager, 'ntfy', 'http://127.0.0.1:9/', null],
    ];
    for (const [channels, kind, url, secret] of attempts) {
      const error: unknown = await channels
        .create({ userId: world.user.id, kind, url, secret })
        .catch((e: unknown) => e);
      expect(error, `${kind} ${url}`).to.be.instanceOf(InputError);
    }
    expect(await manager.list(world.user.id)).to.deep.equal([]);
  });

  it('deletes by the public id, once', async () => {
    const { id } = await addChannel(world, 'webhook', 'http://127.0.0.1:9/');
    await manager.delete(id);
    for (const unknown of [id, v7(), 'no-id']) {
      const errors: unknown[] = await Promise.all([
        manager.delete(unknown).catch((e: unknown) => e),
        manager.get(unknown).catch((e: unknown) => e),
      ]);
      for (const error of errors) expect(error).to.be.instanceOf(NotFoundError);
    }
  });
});
