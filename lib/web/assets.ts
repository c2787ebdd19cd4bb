/**
 * Our own style sheet and scripts, and htmx, served below the mount point. Compressed once, at the start.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Router, type Request, type Response } from 'express';

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
/** A year: an address holds the digest of its content, so it never means anything else. */
const LIFETIME_S = 365 * 24 * 60 * 60;

interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
  readonly digest: string;
}

export interface Assets {
  /** Below the mount point, such as `/public/mailserver.css?v=1a2b3c4d`. */
  address(name: string): string;
  /** Answers `/public/...`. Open to everybody: there is nothing in them that the repository does not show. */
  readonly router: Router;
}

/** Reads every known file of `folder` once; a restart takes changes over. */
export function createAssets(folder: string): Assets {
  const htmx = createRequire(import.meta.url).resolve('htmx.org/dist/htmx.min.js');
  const assets = new Map<string, Asset>([['htmx.min.js', readAsset(htmx)]]);
  for (const name of readdirSync(folder)) {
    if (extname(name) in TYPES) assets.set(name, readAsset(join(folder, name)));
  }
  const router = Router();
  router.get('/public/:name', (req: Request<{ name: string }>, res, next) => {
    const asset = assets.get(req.params.name);
    if (asset === undefined) next();
    else send(req, res, asset);
  });
  return {
    router,
    address(name) {
      const asset = assets.get(name);
      return asset === undefined ? `/public/${name}` : `/public/${name}?v=${asset.digest}`;
    },
  };
}

function readAsset(path: string): Asset {
  const plain = readFileSync(path);
  return {
    type: TYPES[extname(path)] ?? 'application/octet-stream',
    plain,
    gzip: gzipSync(plain, { level: 9 }),
    digest: createHash('sha256').update(plain).digest('hex').slice(0, 12),
  };
}

function send(req: Request<{ name: string }>, res: Response, asset: Asset): void {
  const current = req.query['v'] === asset.digest;
  res.vary('Accept-Encoding');
  res.set({
    'Content-Type': asset.type,
    'Cache-Control': current ? `public, max-age=${LIFETIME_S}, immutable` : 'no-cache',
    'X-Content-Type-Options': 'nosniff',
  });
  if (req.acceptsEncodings('gzip') === false) {
    res.send(asset.plain);
    return;
  }
  res.set('Content-Encoding', 'gzip').send(asset.gzip);
}
