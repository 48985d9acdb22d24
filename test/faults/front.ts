import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { freePort } from '../support/servers.js';

/**
 * What a receiver is like: it works, nobody listens, it takes connections and says nothing, it says what it has to say a
 * byte a second, it answers bytes that mean nothing, or it dies when it has taken a message and is about to say so.
 */
export type Trouble = 'none' | 'down' | 'silent' | 'trickle' | 'garbage' | 'dying';

export interface Front {
  port: number;
  /** For connections from now on; those that are open are cut. */
  set(trouble: Trouble): Promise<void>;
  close(): Promise<void>;
}

const MQTT_CONNECT = 0x10;
const MQTT_CONNACK = Buffer.from([0x20, 2, 0, 0]);
const GARBAGE = Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 167 + 13) % 256));

/** A server on loopback in front of a receiver that works. @param isReceipt of bytes that the receiver answers */
export async function startFront(target: number, isReceipt: (answer: Buffer) => boolean): Promise<Front> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  let mode: Trouble = 'none';
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const garble = (socket: Socket) => {
    socket.write(GARBAGE);
    socket.on('data', () => socket.write(GARBAGE));
  };
  /** What an answer begins with, without an end; to a broker's client what it waits for first. */
  const trickle = (socket: Socket) => {
    let [answer, at] = [Buffer.from('HTTP/1.1 200 OK\r\nX-Slow: '), 0];
    const timer = setInterval(() => socket.write(answer.subarray(at, ++at)), 1_000);
    socket
      .on('close', () => clearInterval(timer))
      .on('data', ([first]: Buffer) => {
        if (first === MQTT_CONNECT) answer = MQTT_CONNACK;
      });
  };
  const pass = (client: Socket) => {
    const receiver = keep(connect(target, '127.0.0.1'));
    client.on('data', (chunk) => receiver.write(chunk)).on('close', () => receiver.destroy());
    receiver.on('close', () => client.destroy());
    receiver.on('data', (chunk: Buffer) => {
      if (mode === 'dying' && isReceipt(chunk)) client.destroy();
      else client.write(chunk);
    });
  };
  const server = createServer((socket) => {
    keep(socket);
    if (mode === 'garbage') garble(socket);
    else if (mode === 'trickle') trickle(socket);
    else if (mode !== 'silent') pass(socket);
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const close = async () => {
    if (!server.listening) return;
    server.close();
    cut();
    await once(server, 'close');
  };
  const set = async (trouble: Trouble) => {
    mode = trouble;
    cut();
    if (trouble === 'down') return close();
    if (server.listening) return;
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await set('none');
  return { port, set, close };
}
