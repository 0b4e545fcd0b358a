// Which view is shown: by the part of the address behind the #.
import { button, el, say, show, trouble } from './dom.js';
import { get, post } from './api.js';
import { entrance } from './entrance.js';
import { sessions } from './sessions.js';
import { files } from './files.js';
import { logs } from './logs.js';

let leave = () => {};
let turn = 0;

async function logOut() {
  try {
    await post('/api/auth/logout');
  } catch (refusal) {
    say(refusal.message);
    return;
  }
  location.hash = '#/';
  await go();
}

function account(user) {
  document.getElementById('account').replaceChildren(...(user ? [
    el('span', { class: 'who' }, user.display_name || user.username),
    button({}, 'Log out', logOut),
  ] : []));
}

async function go() {
  leave();
  leave = () => {};
  turn += 1;
  const mine = turn;
  let user;
  try {
    user = await get('/api/me');
  } catch (refusal) {
    if (mine !== turn) return;
    account(null);
    if (refusal.status === 401) entrance(go);
    else {
      const [place, tell] = trouble();
      show('Not reached', el('h1', {}, 'Not reached'), place, button({ class: 'key' }, 'Try again', go));
      tell(refusal.message);
    }
    return;
  }
  if (mine !== turn) return;
  account(user);
  const [, kind, id, ...rest] = location.hash.replace(/^#/, '').split('/').map(decodeURIComponent);
  const lost = (refusal) => {
    if (refusal.status === 401) { go(); return true; }
    return false;
  };
  if (kind === 'files' && id) leave = files(id, rest.filter(Boolean).join('/'), lost);
  else if (kind === 'logs' && id) leave = logs(id, lost);
  else leave = sessions(user, lost);
}

window.addEventListener('hashchange', go);
go();
