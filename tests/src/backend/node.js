// An ordinary Node server that tells when a connection of its ends; told how by one JSON object.
//
// `farewell`: over TLS it says `close_notify` before it closes an idle connection, as most servers do and Node's own timer
// does not.
const { address, port, idle, pem, farewell, http2 } = JSON.parse(process.argv[2]);
const say = (event, peer) => process.stdout.write(JSON.stringify({ event, peer }) + '\n');
const secrets = pem && (text => ({ key: text, cert: text }))(require('fs').readFileSync(pem));

const peerOf = socket => {
  const host = socket.remoteFamily === 'IPv6' ? `[${socket.remoteAddress}]` : socket.remoteAddress;
  return `${host}:${socket.remotePort}`;
};

// Tells of what is slow, so that something can be done meanwhile.
const answer = (request, response) => {
  const [, deed, number] = /^\/([\w.]*)\/?(\w*)/.exec(request.url);
  if (deed === 'slow' || deed === 'drip') say('request', peerOf(request.socket));
  if (deed === 'lab.Lab') return call(request, response, number);
  const body = deed === 'size' ? 'x'.repeat(Number(number)) : 'ok\n';
  request.resume();
  if (deed === 'drip') {
    response.setHeader('content-length', 100000);
    response.write('x'.repeat(1000));
    return;
  }
  setTimeout(() => {
    response.setHeader('content-length', body.length);
    response.end(body);
  }, deed === 'slow' ? Number(number) : 0);
};

// A gRPC service by hand, as @grpc/grpc-js has it on this very HTTP/2: `Echo` gives the message back, `Drip` gives a
// kilobyte of a stream that never ends, `Sleep` never answers.
const call = (request, response, method) => {
  const parts = [];
  request.on('data', part => parts.push(part));
  request.on('end', () => {
    if (method !== 'Echo') say('request', peerOf(request.stream.session.socket));
    if (method === 'Sleep') return;
    response.setHeader('content-type', 'application/grpc');
    if (method === 'Drip') return response.write(Buffer.concat([Buffer.from([0, 0, 0, 3, 232]), Buffer.alloc(1000)]));
    response.addTrailers({ 'grpc-status': '0' });
    response.end(Buffer.concat(parts));
  });
};

const library = require(http2 ? 'http2' : pem ? 'https' : 'http');
const server = http2 && pem ? library.createSecureServer(secrets) : library.createServer(secrets || {});
server.on('request', answer);
if (http2) {
  server.on('session', session => session.setTimeout(idle, () => session.close()));
} else {
  server.keepAliveTimeout = farewell ? 0 : idle;
}
if (farewell) {
  server.on('request', ({ socket }, response) => {
    clearTimeout(socket.idle);
    response.on('finish', () => {
      socket.idle = setTimeout(() => { socket.over = true; socket.end(); }, idle);
    });
  });
}
server.on(pem ? 'secureConnection' : 'connection', socket => {
  const peer = peerOf(socket);
  say('accepted', peer);
  let byPeer = false;
  socket.on('end', () => { byPeer = !socket.over; });
  // Whoever is still writing when the other end resets gets an error, and then 'close'.
  socket.on('error', () => {});
  socket.on('close', () => say(byPeer ? 'client_closed' : 'idle_close', peer));
});
// A deploy that drains: what is idle is closed at once, the rest after its response.
process.on('SIGTERM', () => {
  if (http2) process.exit(0);
  server.keepAliveTimeout = 1;
  server.close(() => process.exit(0));
});
server.listen(port, address, () => say('ready', null));
