/** Bounds on connections: how many there are, and how long one may stay silent. */
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
  /** Milliseconds after which a connection that has sent nothing is closed. */
  silenceMs: number;
}

/** Milliseconds of silence that a server that stops allows to a new connection. */
const lastSilenceMs = 500;

/**
 * Node's own limits begin with the first byte of a request. Returns a function to be called when
 * the server stops, since it would wait for connections that send nothing: clients open some ahead.
 */
export function boundConnections(
  server: Server,
  { most, silenceMs }: ConnectionBounds,
): () => void {
  server.maxConnections = most;
  const open = new Set<Socket>();
  let isStopping = false;
  const closeIfSilent = (socket: Socket): void => {
    if (socket.bytesRead === 0) socket.destroy();
  };
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    const timer = setTimeout(
      () => closeIfSilent(socket),
      isStopping ? Math.min(lastSilenceMs, silenceMs) : silenceMs,
    );
    timer.unref();
    socket.once('close', () => {
      open.delete(socket);
      clearTimeout(timer);
    });
  });
  return () => {
    isStopping = true;
    open.forEach(closeIfSilent);
  };
}
