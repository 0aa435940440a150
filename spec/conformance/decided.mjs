// Node's own streams with weir's decided differences patched in (docs/node-differences.md has the numbers): what weir must do
// where it does not do what Node does. Node's sources are those of the node that runs, edited while they are compiled; an edit
// that does not find its place is an error. Needs `node --expose-internals`, which command.mjs sees to.
import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';

const SILENT = new Set(['data', 'readable', 'end', 'drain', 'finish']); // after destroy()
const DATA_TYPES = ['string', 'Buffer', 'TypedArray', 'DataView'];
const nodeRequire = createRequire(import.meta.url);

// What the edits call, as `weir`. acts(n) asks whether difference n is wanted, and notes that it would make itself felt.
class Differences {
  GONE = Symbol('gone'); // an event behind 'close', also where that is not emitted
  QUIET = Symbol('quiet'); // of a stream: its reader has left
  INSIDE = Symbol('inside'); // of a pipe: a pipeline has made it
  LEAVE = Symbol('leave'); // what a pipeline does when it has called back
  LENIENT = Symbol('lenient'); // of eos: an end that was given, with nothing left before it, is as good as told
  HELD = Symbol('held'); // of a transform: the callback that waits for room
  codes = nodeRequire('internal/errors').codes;
  noted = new Set();
  unwanted = new Set();
  flows = false;

  acts(n) {
    this.noted.add(n);
    return !this.unwanted.has(n);
  }

  // 1: calls a handler
  handle(stream, state, call, isOut) {
    try { call(); } catch (err) {
      if (err.code === 'ERR_METHOD_NOT_IMPLEMENTED' || !this.acts(1)) throw err; // that is no handler
      if (isOut()) state.onwrite(err); else this.errorOrDestroy(stream, err);
    }
  }

  // 2: what is wrong with the stages of a pipeline before anything was done
  stageOver(streams) {
    for (const [i, { destroyed, errored, readableEnded, writableEnded }] of streams.entries()) {
      if (destroyed && errored) return errored;
      if (destroyed && !(i === 0 && readableEnded)) return new this.codes.ERR_STREAM_PREMATURE_CLOSE();
      if (i > 0 && writableEnded) return new this.codes.ERR_STREAM_WRITE_AFTER_END();
    }
    return undefined;
  }
  mayPipe(src, dest, options) {
    if (!options?.[this.INSIDE] && (src.destroyed || dest.destroyed) && this.acts(2)) throw new this.codes.ERR_STREAM_DESTROYED('pipe');
  }

  // 3: a chunk that its own _read has destroyed the stream behind still crosses pipes
  emit(stream, emit, event, args) {
    if (!stream.destroyed || !SILENT.has(event) || !this.acts(3)) return emit.call(stream, event, ...args);
    if (event === 'data' && !stream._readableState.over) stream.listeners('data').forEach((fn) => { if (fn.isPipe) fn(...args); });
    return false;
  }
  flowOn(stream) { // what is left in a destroyed stream goes as it flows, but to nobody
    this.flows = true;
    return stream.read();
  }
  isFlow() {
    const { flows } = this;
    this.flows = false;
    return flows;
  }

  // 5: once there was an answer
  released(callback, cleanup, kept) {
    return (...args) => {
      if (!kept && this.acts(5)) cleanup();
      callback(...args);
    };
  }
  whenGone(stream, fn) {
    if (!stream.destroyed || stream._readableState?.closeEmitted || stream._writableState?.closeEmitted) fn();
    else stream.once(this.GONE, fn);
  }

  // 7: does a destination that was unpiped keep the others waiting?
  starves(state, dest) {
    const waits = state.awaitDrainWriters === dest || state.awaitDrainWriters?.has?.(dest);
    return waits && state.pipes.length && dest._writableState && !dest._writableState.needDrain && this.acts(7);
  }

  // 11: callbacks in the order of the writes. What to call when this write is done
  inOrder(state, cb, err, sync) {
    const settled = state.settled ??= [];
    if (sync) {
      settled.push([cb, err]);
      return () => this.callSettled(state);
    }
    if (err || !settled.length || !this.acts(11)) return cb;
    settled.push([cb]);
    state.late = (state.late ?? 0) + 1;
    return () => {};
  }
  callSettled(state) {
    const { settled } = state;
    const callFirst = () => {
      const [cb, err = null] = settled.shift() ?? [];
      cb?.(err);
    };
    callFirst();
    while (state.late && state.late === settled.length) {
      state.late = 0;
      for (let n = settled.length; n > 0; n--) callFirst();
    }
  }
  cutShort({ destroyed, _readableState: r, _writableState: w }, readable, writable) {
    const early = (readable && r && r.readable !== false && !r.endEmitted) || (writable && w && w.writable !== false && !w.finished);
    return destroyed && early && this.acts(11);
  }

  // 14, 15: what a pipe writes
  cross(dest, chunk) {
    const fits = dest.writableObjectMode || typeof chunk === 'string' || chunk instanceof Uint8Array;
    if (!fits && this.acts(14)) {
      this.errorOrDestroy(dest, new this.codes.ERR_INVALID_ARG_TYPE('chunk', DATA_TYPES, chunk));
      return false;
    }
    if (this.lacksWrite(dest) && this.acts(15)) this.errorOrDestroy(dest, new this.codes.ERR_METHOD_NOT_IMPLEMENTED('_write()'));
    return dest.write(chunk);
  }
  lacksWrite({ _write, _writev, _transform }) {
    const { Writable, Transform } = this.streams;
    return _write === Transform.prototype._write ? _transform === Transform.prototype._transform : _write === Writable.prototype._write && !_writev;
  }
}

const IS_OUT = '() => (state[kState] & kExpectWriteCb) !== 0';

// Of each module: what stands there, and what stands there instead. $& is what stood there.
const EDITS = {
  legacy: [
    ['ObjectSetPrototypeOf(Stream, EE);', `$&
Stream.prototype.emit = function(event, ...args) { return weir.emit(this, EE.prototype.emit, event, args); };`],
  ],
  destroy: [
    ["  self.emit('error', err);", "  if (self[weir.QUIET] && err?.code === 'ABORT_ERR') return;\n$&"],
    ["    self.emit('close');\n  }\n", '$&  self.emit(weir.GONE);\n'],
    ['    if (sync) {\n      process.nextTick(emitErrorNT', '    weir.failed(stream);\n$&'],
    ['module.exports = {', 'weir.errorOrDestroy = errorOrDestroy;\n$&'],
  ],
  readable: [
    ['const nOrig = n;', '$&\n  const isFlow = weir.isFlow();\n  const over = state.destroyed;'],
    ["    this.emit('data', ret);", '    state.over = over;\n$&'],
    ['  return ret;\n};\n\nfunction onEofChunk', '  if (over && !isFlow && ret !== null && weir.acts(3)) return null;\n$&'],
    ['stream.read() !== null);', 'weir.flowOn(stream) !== null);'],
    ['  const src = this;\n', '$&  weir.mayPipe(src, dest, pipeOpts);\n'],
    ['dest.write(chunk);', 'weir.cross(dest, chunk);'],
    ["src.on('data', ondata);", 'ondata.isPipe = true;\n  $&'],
    ['if (ondrain && state.awaitDrainWriters &&', 'if (ondrain && weir.starves(state, dest))\n      ondrain();\n    else $&'],
    ['const cleanup = eos(stream, { writable: false },', 'const cleanup = eos(stream, { writable: false, [weir.LENIENT]: true },'],
    ['      destroyImpl.destroyer(stream, null);', `      if (error === undefined && !stream.destroyed && weir.acts(4)) stream[weir.QUIET] = true;
      if ((error !== undefined || !stream.destroyed) && weir.acts(5)) cleanup();
$&`],
  ],
  writable: [
    ['this.onwrite = onwrite.bind(undefined, stream);', '$&\n  this.stream = stream;'],
    ['    stream._write(chunk, encoding, state.onwrite);\n    state[kState] &= ~kSync;',
      `    weir.handle(stream, state, () => stream._write(chunk, encoding, state.onwrite), ${IS_OUT});\n    state[kState] &= ~kSync;`],
    ['    stream._writev(chunk, state.onwrite);\n', `    weir.handle(stream, state, () => stream._writev(chunk, state.onwrite), ${IS_OUT});\n`],
    ['  else\n    stream._write(chunk, encoding, state.onwrite);', `  else\n    weir.handle(stream, state, () => stream._write(chunk, encoding, state.onwrite), ${IS_OUT});`],
    ['const cb = (state[kState] & kWriteCb) !== 0 ? state[kWriteCbValue] : nop;', `let cb = (state[kState] & kWriteCb) !== 0 ? state[kWriteCbValue] : nop;
  if (cb !== nop) cb = weir.inOrder(state, cb, er, sync);`],
    ['  if ((state[kState] & kWriting) !== 0) {\n    return;\n  }', `  if ((state[kState] & kWriting) !== 0) {
    const { stream } = state;
    if (!stream[weir.HELD] || !stream.destroyed || !weir.acts(6)) return;
    const cb = (state[kState] & kWriteCb) !== 0 ? state[kWriteCbValue] : nop;
    stream[weir.HELD] = state.writecb = null;
    state[kState] &= ~(kWriting | kExpectWriteCb);
    state.length -= state.writelen;
    state.writelen = 0;
    state.pendingcb--;
    cb(state.errored ?? new ERR_STREAM_DESTROYED('write'));
  }`],
    ['      state[kOnFinishedValue].push(cb);', '$&\n      if ((state[kState] & kDestroyed) !== 0 && weir.acts(6)) process.nextTick(errorBuffer, state);'],
    ['  const ret = state.length < state.highWaterMark || state.length === 0;', '  weir.failed(stream);\n$&'],
    ['state[kState] |= kFinalCalled | kSync;', 'state.finalOut = true;\n    $&'],
    ['function onFinish(stream, state, err) {', `$&
  state.finalOut = false;
  finaled(stream, state, err);
  weir.failed(stream);
}

weir.failed = function(stream) { // 6: what has failed and is not destroyed writes nothing more
  const state = stream._writableState;
  if (!state?.errored || state.finalOut || state.finishing) return;
  if ((state[kState] & (kWriting | kCorked | kBufferProcessing | kDestroyed | kConstructed)) !== kConstructed) return;
  if ((stream[weir.HELD] || (state[kState] & (kBuffered | kOnFinished)) !== 0) && weir.acts(6)) process.nextTick(errorBuffer, state);
};

function finaled(stream, state, err) {`],
    ['    state[kState] |= kPrefinished;\n    stream', '    state.finishing = true;\n$&'],
    ['function finish(stream, state) {', '$&\n  state.finishing = false;'],
    ['function finishMaybe(stream, state, sync) {', '$&\n  weir.failed(stream);'],
    ['if ((state[kState] & (kBuffered | kOnFinished)) !== 0 && (', 'if (((state[kState] & (kBuffered | kOnFinished)) !== 0 || this[weir.HELD]) && ('],
  ],
  transform: [
    ["const kCallback = Symbol('kCallback');", 'const kCallback = weir.HELD;'],
    ['      rState.length < rState.highWaterMark\n    )', '      rState.length < rState.highWaterMark ||\n      (this.destroyed && weir.acts(6))\n    )'],
    ['    final.call(this);', '    try { final.call(this); } catch (err) { if (!weir.acts(1)) throw err; weir.errorOrDestroy(this, err); }'],
  ],
  'end-of-stream': [
    ['  callback = once(callback);', '  const leave = options[weir.LEAVE];\n  const lenient = leave || options[weir.LENIENT];\n  callback = once(weir.released(callback, () => cleanup(), leave));'],
    [/\n    if \(readable && !readableFinished && isReadableNodeStream/, `
    if (!lenient && weir.cutShort(stream, readable, writable)) return callback.call(stream, new ERR_STREAM_PREMATURE_CLOSE());
$&`],
    [/(onclosed = [^]*?)\n    callback.call\(stream\);/, `$1
    if (!lenient && weir.cutShort(stream, readable, writable)) return callback.call(stream, new ERR_STREAM_PREMATURE_CLOSE());
    callback.call(stream);`],
    ['  if (options.signal && !closed) {', '  leave?.push(cleanup);\n$&'],
  ],
  pipeline: [
    ['function destroyer(stream, reading, writing) {', 'function destroyer(stream, reading, writing, leave) {'],
    ['{ readable: reading, writable: writing }', '{ readable: reading, writable: writing, [weir.LEAVE]: leave }'],
    ['destroyer(stream, reading, writing);', 'destroyer(stream, reading, writing, leave);'],
    ['const destroys = [];', '$&\n  const leave = [];'],
    ['process.nextTick(callback, error, value);', `process.nextTick((error, value) => {
        if (weir.acts(5)) leave.forEach((fn) => fn());
        callback(error, value);
      }, error, value);`],
    ["stream.on('error', onError);", "$&\n      leave.push(() => weir.whenGone(stream, () => stream.removeListener('error', onError)));"],
    ['  let ret;\n', `  const over = weir.stageOver(streams);
  if (over && weir.acts(2)) {
    for (const [i, stream] of streams.entries()) {
      const onError = () => {};
      stream.on('error', onError);
      leave.push(() => weir.whenGone(stream, () => stream.removeListener('error', onError)));
      if (i < streams.length - 1 || opts?.end !== false) destroys.push((err) => destroyImpl.destroyer(stream, err));
    }
    finishImpl(over, true);
    return streams[streams.length - 1];
  }
$&`],
    ['pipe(ret, stream, finish, { end });', 'pipe(ret, stream, finish, { end, leave });'],
    ['function pipe(src, dst, finish, { end }) {', 'function pipe(src, dst, finish, { end, leave }) {'],
    ['src.pipe(dst, { end: false });', 'src.pipe(dst, { end: false, [weir.INSIDE]: true });'],
    ['{ readable: true, writable: false }', '{ readable: true, writable: false, [weir.LEAVE]: leave }'],
    ['(rState && rState.ended && !rState.errored && !rState.errorEmitted)', '$& && !(src.destroyed && weir.acts(3))'],
    ['{ readable: false, writable: true }', '{ readable: false, writable: true, [weir.LEAVE]: leave }'],
  ],
  compose: [
    ['    ondrain = null;\n    onfinish = null;\n', `    onfinish = null;
    const cb = ondrain;
    ondrain = null;
    if (cb && weir.acts(6)) cb(err ?? new weir.codes.ERR_STREAM_DESTROYED('write'));
`],
  ],
};

function edit(name, source) {
  return (EDITS[name] ?? []).reduce((text, [place, instead]) => {
    if (!(place instanceof RegExp ? place.test(text) : text.includes(place))) throw new Error(`Node ${process.version}: not found in ${name}: ${place}`);
    return text.replace(place, instead);
  }, source);
}

// Node's `stream` with all differences, its `promises`, and `weir`: their switches.
export function patchedStreams() {
  const { internalBinding, primordials } = nodeRequire('internal/test/binding');
  const sources = process.binding('natives');
  const weir = new Differences();
  const loaded = {};
  function load(id) {
    if (id !== 'stream' && id !== 'stream/promises' && !id.startsWith('internal/streams/')) return nodeRequire(id);
    if (loaded[id]) return loaded[id].exports;
    const module = loaded[id] = { exports: {} };
    const source = edit(id.replace('internal/streams/', ''), sources[id]);
    const names = ['exports', 'require', 'module', 'process', 'internalBinding', 'primordials', 'weir'];
    compileFunction(source, names, { filename: `weir:${id}` })(module.exports, load, module, process, internalBinding, primordials, weir);
    return module.exports;
  }
  weir.streams = load('stream');
  return { ...weir.streams, promises: load('stream/promises'), weir };
}
