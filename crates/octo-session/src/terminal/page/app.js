// The terminal of the page: speaks ttyd's protocol to the socket beside it, and comes back after a cut.
import { Terminal } from './xterm.mjs';
import { FitAddon } from './addon-fit.mjs';

// How many bytes may wait to be drawn before the server is asked to pause, and when it may go on.
const HIGH = 1000000;
const LOW = 400000;
const LONGEST_PAUSE = 15000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const notice = document.getElementById('notice');
const terminal = new Terminal({
  cursorBlink: true,
  scrollback: 10000,
  // Colours of programs are made readable on this ground.
  minimumContrastRatio: 7,
  theme: { background: '#1b1d21' },
});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.getElementById('terminal'));
fit.fit();
terminal.focus();

let socket = null;
let pause = 500;
let waiting = 0;
let paused = false;
let ended = false;
// The timer of the next try, 0 for none; null while there is a socket, or is to be one.
let next = null;

function say(text) {
  notice.textContent = text;
  notice.hidden = text === '';
}

function send(command, rest) {
  if (socket === null || socket.readyState !== WebSocket.OPEN) return;
  const body = typeof rest === 'string' ? encoder.encode(rest) : rest;
  const message = new Uint8Array(body.length + 1);
  message[0] = command.charCodeAt(0);
  message.set(body, 1);
  socket.send(message);
}

function size() {
  return { columns: terminal.cols, rows: terminal.rows };
}

function draw(bytes) {
  waiting += bytes.length;
  if (waiting > HIGH && !paused) {
    paused = true;
    send('2', '');
  }
  terminal.write(bytes, () => {
    waiting -= bytes.length;
    if (waiting < LOW && paused) {
      paused = false;
      send('3', '');
    }
  });
}

function prefer(text) {
  for (const [name, value] of Object.entries(JSON.parse(text))) {
    try {
      terminal.options[name] = value;
    } catch {
      // Settings for other pages are none of ours.
    }
  }
  fit.fit();
}

function hear(event) {
  const bytes = new Uint8Array(event.data);
  const rest = bytes.subarray(1);
  switch (String.fromCharCode(bytes[0])) {
    case '0':
      draw(rest);
      break;
    case '1':
      document.title = decoder.decode(rest);
      break;
    case '2':
      prefer(decoder.decode(rest));
      break;
  }
}

async function connect() {
  ended = false;
  next = null;
  let token = '';
  try {
    const answer = await fetch('token', { cache: 'no-store' });
    const said = await answer.json();
    if (!answer.ok) {
      // Before the terminal stands a server that knows why it is not to be had.
      if (answer.status < 500) giveUp(said.error);
      else again(said.error);
      return;
    }
    token = said.token;
  } catch {
    again();
    return;
  }
  const url = new URL('ws' + window.location.search, window.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  socket = new WebSocket(url, ['tty']);
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    say('');
    pause = 500;
    waiting = 0;
    paused = false;
    fit.fit();
    socket.send(JSON.stringify({ AuthToken: token, ...size() }));
  };
  socket.onmessage = hear;
  socket.onclose = (event) => {
    socket = null;
    if (event.code === 1000) {
      ended = true;
      say('The shell has ended. Press Enter for a new one.');
    } else {
      again();
    }
  };
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

// Until somebody comes back to this tab: what was refused may be allowed by then.
function giveUp(why = 'the terminal is not to be had') {
  say(sentence(why));
  next = 0;
}

function again(why = 'the connection is lost') {
  say(`${sentence(why)} Trying again.`);
  next = setTimeout(connect, pause);
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

// Whoever comes back to this tab does not wait for the next try.
document.addEventListener('visibilitychange', () => {
  if (document.hidden || next === null) return;
  clearTimeout(next);
  pause = 500;
  connect();
});

terminal.onData((data) => {
  if (ended) {
    if (data === '\r') connect();
    return;
  }
  send('0', data);
});
terminal.onBinary((data) => send('0', Uint8Array.from(data, (c) => c.charCodeAt(0) & 255)));
terminal.onResize(() => send('1', JSON.stringify(size())));
terminal.onTitleChange((title) => {
  document.title = title;
});
new ResizeObserver(() => fit.fit()).observe(document.getElementById('terminal'));
connect();
