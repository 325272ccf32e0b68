/**
 * Bounds on connections: how many there are, how long one may stay silent, and how long one may
 * leave an answer unread.
 */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Number of connections that leaves a quarter of the process's descriptors to files and child
 * processes; at most 10,000.
 */
export function connectionsThatFit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const most = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
    if (most > 0) return Math.max(1, Math.min(10_000, Math.floor(most * 0.75)));
  } catch {
    // Not Linux.
  }
  return 1000;
}

export interface ConnectionBounds {
  /** Most connections; further ones are closed at once. */
  most: number;
  /** Most connections of one address. */
  mostOfAddress: number;
  /** Whether an address is a proxy's, whose connections are those of many. */
  isProxy: (address: string) => boolean;
  /**
   * Milliseconds after which a connection is closed that has sent nothing, or that has read nothing
   * of an answer.
   */
  silenceMs: number;
}

/** Bytes that leave through a socket. */
class Outflow {
  #since = performance.now();
  #written = 0;
  #inSystem = 0;

  constructor(private readonly socket: Socket) {}

  /** Milliseconds for which something has waited and nothing of it has left. */
  stoodFor(): number {
    const { socket } = this;
    const written = socket.bytesWritten - socket.writableLength;
    // Node tells by no public name how much of a text that it is writing has left.
    const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
    const inSystem = handle?.writeQueueSize ?? 0;
    const hasMoved = written !== this.#written || inSystem < this.#inSystem;
    if (hasMoved || socket.writableLength === 0) this.#since = performance.now();
    this.#written = written;
    this.#inSystem = inSystem;
    return performance.now() - this.#since;
  }
}

/** Milliseconds of silence that a server that stops allows to a new connection. */
const lastSilenceMs = 500;

/**
 * Node's own limits begin with the first byte of a request. Returns a function to be called when
 * the server stops, since it would wait for connections that send nothing: clients open some ahead.
 */
export function boundConnections(
  server: Server,
  { most, mostOfAddress, isProxy, silenceMs }: ConnectionBounds,
): () => void {
  server.maxConnections = most;
  const open = new Map<Socket, Outflow>();
  const ofAddress = new Map<string, number>();
  let isStopping = false;
  const closeIfSilent = (socket: Socket): void => {
    if (socket.bytesRead === 0) socket.destroy();
  };
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (ofAddress.get(address) ?? 0) + 1;
    if (count > mostOfAddress && !isProxy(address)) return void socket.destroy();
    ofAddress.set(address, count);
    open.set(socket, new Outflow(socket));
    const timer = setTimeout(
      () => closeIfSilent(socket),
      isStopping ? Math.min(lastSilenceMs, silenceMs) : silenceMs,
    );
    timer.unref();
    socket.once('close', () => {
      open.delete(socket);
      const left = ofAddress.get(address)! - 1;
      if (left === 0) ofAddress.delete(address);
      else ofAddress.set(address, left);
      clearTimeout(timer);
    });
  });
  const sweep = setInterval(() => {
    for (const [socket, outflow] of open) if (outflow.stoodFor() > silenceMs) socket.destroy();
  }, silenceMs / 4).unref();
  return () => {
    isStopping = true;
    clearInterval(sweep);
    for (const socket of open.keys()) closeIfSilent(socket);
  };
}
