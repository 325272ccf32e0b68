/**
 * Addresses behind a reverse proxy. A proxy may serve this server under a path of its own
 * (`/user/ana/proxy/8787/`) and strip it, or pass it on (`--base-path`). Links are relative to the
 * address of the request, so that they work behind either, unless the path is known.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { BlockList, isIP } from 'node:net';

/** Names for groups of addresses that a proxy may have. */
const groups: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fe80::/10'],
};

/** Whether an entry is an address, a subnet such as 10.0.0.0/8, or the name of a group. */
export function isProxyEntry(entry: string): boolean {
  if (Object.hasOwn(groups, entry)) return true;
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
  const version = isIP(address);
  return version !== 0 && (bits === undefined || Number(bits) <= (version === 4 ? 32 : 128));
}

/** A function that tells whether an address is one of the trusted proxies. */
export function trustedProxies(entries: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const entry of entries.flatMap((one) => groups[one] ?? [one])) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return (given) => {
    const address = given.replace(/^::ffff:(?=\d+\.)/, '');
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4');
  };
}

/** `/x/v1/kinds` as `/v1/kinds` under the base path `/x`; other addresses stay. */
export function withoutBasePath(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  return rest.startsWith('/') ? rest : /^(?:\?|$)/.test(rest) ? `/${rest}` : url;
}

/** The first value of X-Forwarded-Prefix, if it is a path; else the empty text. */
function forwardedPrefix(header: string | string[] | undefined): string {
  const text = [header].flat()[0]?.split(',', 1)[0]?.trim().replace(/\/+$/, '') ?? '';
  return text.length <= 500 && /^(?:\/[\w.~!$&'()*+;=:@%-]+)+$/.test(text) ? text : '';
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Path under which the caller reaches this server, with no slash at its end; null: unknown. */
    basePath: string | null;
  }
}

export interface BasePathOptions {
  basePath: string;
  trustProxy: readonly string[];
}

/** Registers a request's `basePath`, and the redirect from the base path without a slash. */
export function registerBasePath(app: FastifyInstance, options: BasePathOptions): void {
  const isTrusted = trustedProxies(options.trustProxy);
  app.decorateRequest('basePath', null);
  app.addHook('onRequest', async (request, reply) => {
    const peer = request.socket.remoteAddress;
    const forwarded =
      peer !== undefined && isTrusted(peer)
        ? forwardedPrefix(request.headers['x-forwarded-prefix'])
        : '';
    const { basePath } = options;
    const isPassedOn =
      basePath !== '' && withoutBasePath(request.originalUrl, basePath) !== request.originalUrl;
    // A proxy that passes the base path on may name it in the header too.
    const own = isPassedOn && !forwarded.endsWith(basePath) ? basePath : '';
    request.basePath = (forwarded === '' ? basePath : forwarded + own) || null;
    if (isPassedOn && request.originalUrl.split('?', 1)[0] === basePath)
      return reply.redirect(`${request.basePath}/`, 308);
    return undefined;
  });
}

/**
 * A reference from a request to an address of this server, such as `/v1/kinds`: with the path that
 * the caller sees if that is known, else relative to the request.
 */
export function referenceTo(address: string, request: FastifyRequest): string {
  if (request.basePath !== null) return `${request.basePath}${address}`;
  const [path = ''] = request.url.split('?', 1);
  return `${'../'.repeat(Math.max(path.split('/').length - 2, 0))}${address.slice(1)}`;
}
