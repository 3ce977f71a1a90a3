// An ordinary Node server that tells when a connection of its ends; told how by one JSON object.
//
// `farewell`: over TLS it says `close_notify` before it closes an idle connection, as most servers do and Node's own timer
// does not.
const { address, port, idle, pem, farewell, http2 } = JSON.parse(process.argv[2]);
const say = (event, peer) => process.stdout.write(JSON.stringify({ event, peer }) + '\n');
const secrets = pem && (text => ({ key: text, cert: text }))(require('fs').readFileSync(pem));

const answer = (request, response) => {
  const [, deed, number] = /^\/(\w*)\/?(\d*)/.exec(request.url);
  const body = deed === 'size' ? 'x'.repeat(Number(number)) : 'ok\n';
  request.resume();
  setTimeout(() => {
    response.setHeader('content-length', body.length);
    response.end(body);
  }, deed === 'slow' ? Number(number) : 0);
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
  const host = socket.remoteFamily === 'IPv6' ? `[${socket.remoteAddress}]` : socket.remoteAddress;
  const peer = `${host}:${socket.remotePort}`;
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
