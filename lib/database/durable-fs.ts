/** PGlite's file system on a folder of the disk, with the one thing it lacks: fsync reaches the disk. */
import { fsyncSync } from 'node:fs';
import type { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';

type StartOptions = Parameters<NodeFS['init']>[1];

/** The part of Emscripten's NODEFS that is used here; not public API, so PGlite is pinned and a test counts the syncs. */
interface NodeFileSystem {
  stream_ops: { fsync?: (stream: { readonly nfd: number }) => number };
  tryFSOperation<T>(operation: () => T): T;
}

export class DurableNodeFS extends NodeFS {
  /** How many syncs the database has asked for, folders included. */
  syncs = 0;

  override async init(pg: PGlite, options: StartOptions): ReturnType<NodeFS['init']> {
    const prepared = await super.init(pg, options);
    const installFsync = (module: unknown): void => {
      const nodeFs = (module as { NODEFS: NodeFileSystem }).NODEFS;
      nodeFs.stream_ops.fsync = (stream) => {
        this.syncs += 1;
        nodeFs.tryFSOperation(() => fsyncSync(stream.nfd));
        return 0;
      };
    };
    return {
      emscriptenOpts: {
        ...prepared.emscriptenOpts,
        preRun: [...(prepared.emscriptenOpts.preRun ?? []), installFsync],
      },
    };
  }
}
