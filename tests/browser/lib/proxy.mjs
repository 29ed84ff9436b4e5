// A TCP proxy whose connections can be cut or swallowed: the network between one browser and the server.
import net from 'node:net';

/** Forwards to `port` of this machine. */
export async function startProxy(context, port) {
  const proxy = new Proxy(port);
  context.defer(() => proxy.close());
  await proxy.listen();
  return proxy;
}

class Proxy {
  #target;
  #server = net.createServer((socket) => this.#accept(socket));
  #pairs = new Set();
  #mode = 'open';

  constructor(target) {
    this.#target = target;
  }

  listen() {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get ws() {
    return `ws://127.0.0.1:${this.#server.address().port}/ws`;
  }

  /** Resets every connection and refuses new ones: a pulled cable that the computer notices. */
  cut() {
    this.#mode = 'cut';
    this.#reset();
  }

  /** Keeps connections open and swallows everything, both ways: a dead radio that nobody notices. */
  blackhole() {
    this.#mode = 'blackhole';
    for (const { outside, inside } of this.#pairs) {
      outside.unpipe(inside);
      inside.unpipe(outside);
      outside.resume();
      inside.resume();
    }
  }

  /** The network is back. Connections that were swallowed stay dead, as they would. */
  restore() {
    this.#mode = 'open';
  }

  close() {
    this.#reset();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(outside) {
    outside.on('error', () => {});
    if (this.#mode === 'cut') {
      outside.resetAndDestroy();
      return;
    }
    if (this.#mode === 'blackhole') {
      outside.resume();
      this.#remember({ outside, inside: new net.Socket() });
      return;
    }
    const inside = net.connect(this.#target, '127.0.0.1');
    inside.on('error', () => outside.destroy());
    outside.pipe(inside);
    inside.pipe(outside);
    this.#remember({ outside, inside });
  }

  #remember(pair) {
    this.#pairs.add(pair);
    pair.outside.on('close', () => {
      this.#pairs.delete(pair);
      // While everything is swallowed, the other end does not hear of it either.
      if (this.#mode !== 'blackhole') pair.inside.destroy();
    });
    pair.inside.on('close', () => {
      if (this.#mode !== 'blackhole') pair.outside.destroy();
    });
  }

  #reset() {
    for (const { outside, inside } of this.#pairs) {
      outside.destroy();
      inside.destroy();
    }
    this.#pairs.clear();
  }
}
