// A WebSocket server (RFC 6455) for the transport's wasm tests. Node's own modules only; nothing in it is clever.
//
//   node tests/wasm/echo-server.mjs [port]     prints {"url":"ws://127.0.0.1:PORT"} and serves until stdin ends
//
//   /echo     sends every binary message back
//   /close    closes with 4001 "told to" after the first message
//   /bye      sends a message, then closes normally
//   /break    cuts the connection after the first message
//   /silent   reads and never answers
//   /deaf     does not read either
//   /text     sends a text message at once
//   /flood?n  sends n messages of 1 MiB at once
//   /stats    sends {"open": connections of /silent} as binary at once, and after every change
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import process from 'node:process';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Connections of /silent: what watchers hear about. */
const open = new Set();
/** Who wants to know. */
const watchers = new Set();

function frame(opcode, payload) {
  const length = payload.length;
  let header;
  if (length < 126) {
    header = Buffer.from([0x80 | opcode, length]);
  } else if (length < 65536) {
    header = Buffer.alloc(4);
    header.writeUInt16BE(length, 2);
    header[1] = 126;
  } else {
    header = Buffer.alloc(10);
    header.writeBigUInt64BE(BigInt(length), 2);
    header[1] = 127;
  }
  header[0] = 0x80 | opcode;
  return Buffer.concat([header, payload]);
}

function closeFrame(code, reason) {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return frame(CLOSE, payload);
}

/** Cuts whole frames off the front of `bytes`: [{opcode, final, payload}], and the rest. */
function cut(bytes) {
  const frames = [];
  for (;;) {
    if (bytes.length < 2) break;
    let length = bytes[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) break;
      length = bytes.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) break;
      length = Number(bytes.readBigUInt64BE(2));
      at = 10;
    }
    const masked = (bytes[1] & 0x80) !== 0;
    const end = at + (masked ? 4 : 0) + length;
    if (bytes.length < end) break;
    const payload = Buffer.from(bytes.subarray(end - length, end));
    if (masked) for (let i = 0; i < length; i += 1) payload[i] ^= bytes[at + (i & 3)];
    frames.push({ opcode: bytes[0] & 0x0f, final: (bytes[0] & 0x80) !== 0, payload });
    bytes = bytes.subarray(end);
  }
  return [frames, bytes];
}

function tellWatchers() {
  const stats = Buffer.from(JSON.stringify({ open: open.size }));
  for (const socket of watchers) socket.write(frame(BINARY, stats));
}

/** What to do with one message. */
function serve(path, socket, payload) {
  switch (path) {
    case '/echo':
      socket.write(frame(BINARY, payload));
      break;
    case '/close':
      socket.end(closeFrame(4001, 'told to'));
      break;
    case '/break':
      socket.destroy();
      break;
    default:
  }
}

function greet(path, query, socket) {
  switch (path) {
    case '/text':
      socket.write(frame(TEXT, Buffer.from('{"type":"hello"}')));
      break;
    case '/bye':
      socket.write(frame(BINARY, Buffer.from('goodbye')));
      socket.end(closeFrame(1000, 'done'));
      break;
    case '/flood':
      for (let i = 0; i < Number(query); i += 1) socket.write(frame(BINARY, Buffer.alloc(1 << 20, i)));
      break;
    case '/deaf':
      socket.pause();
      break;
    default:
  }
}

const server = createServer((_, response) => response.writeHead(404).end());
server.on('upgrade', (request, socket, head) => {
  const [path, query = ''] = request.url.split('?');
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + GUID).digest('base64');
  socket.setNoDelay(true);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const group = { '/stats': watchers, '/silent': open }[path];
  group?.add(socket);
  tellWatchers();
  let rest = head;
  let fragments = [];
  socket.on('data', (chunk) => {
    let frames;
    [frames, rest] = cut(Buffer.concat([rest, chunk]));
    for (const { opcode, final, payload } of frames) {
      if (opcode === CLOSE) socket.end(frame(CLOSE, payload));
      else if (opcode === PING) socket.write(frame(PONG, payload));
      else if (opcode !== PONG) {
        fragments.push(payload);
        if (final) serve(path, socket, Buffer.concat(fragments.splice(0)));
      }
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    group?.delete(socket);
    tellWatchers();
  });
  greet(path, query, socket);
});

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `ws://127.0.0.1:${server.address().port}` }));
});
// The end of the process that started this one ends it too.
process.stdin.on('end', () => process.exit(0)).resume();
