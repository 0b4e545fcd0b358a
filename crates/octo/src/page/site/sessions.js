// The sessions with their states, kept up to date; and a new one.
import { button, el, form, say, show, trouble } from './dom.js';
import { get, post } from './api.js';
import { card, name, UNDER_WAY } from './card.js';

// Milliseconds between two looks: while something is under way, and else.
const SOON = 1000;
const LATER = 8000;

export function sessions(user, lost) {
  let timer;
  let gone = false;
  let away = false;
  let working = 0;
  let shown = '';
  let outdated = new Set();
  const before = new Map();
  const list = el('ul', { class: 'sessions', 'aria-label': 'Sessions' });
  const [place, tell] = trouble();
  const create = button({ class: 'key', 'data-key': 'create' }, 'New session',
    () => act(() => post('/api/sessions', {})));
  const rule = el('p', { class: 'faint' });
  show('Sessions', el('div', { class: 'row apart head' }, el('h1', {}, 'Sessions'), create), place, list, rule,
    user.role === 'admin' && invites());

  // Does something with a session; whether it was done. What was refused stays on the page until the next try.
  async function act(work, told) {
    tell('');
    working += 1;
    again(SOON);
    try {
      if (await work() === null) return;
      if (told) say(told);
    } catch (refusal) {
      if (!lost(refusal)) tell(refusal.message);
    } finally {
      working -= 1;
      look();
    }
  }

  function again(wait) {
    clearTimeout(timer);
    if (!gone) timer = setTimeout(look, wait);
  }

  async function look() {
    clearTimeout(timer);
    let all;
    try {
      all = await get('/api/sessions');
      if (all.some((session) => ['running', 'stopped'].includes(session.status))) {
        const updates = await get('/api/sessions/updates');
        outdated = new Set(updates.map((update) => update.session_id));
      }
    } catch (refusal) {
      if (gone || lost(refusal)) return;
      away = true;
      tell(refusal.message, 'This page tries again by itself. What it shows may be old.');
      again(LATER);
      return;
    }
    if (gone) return;
    if (away) tell('');
    away = false;
    announce(all);
    draw(all);
    const busy = working > 0 || all.some((session) => UNDER_WAY.includes(session.status));
    again(document.hidden ? LATER * 4 : busy ? SOON : LATER);
  }

  // What somebody waits for is told when it comes.
  function announce(all) {
    for (const session of all) {
      const was = before.get(session.id);
      if (was !== session.status && ['pending', 'starting'].includes(was) && ['running', 'failed'].includes(session.status)) {
        say(session.status === 'running' ? `${name(session)} is running.` : `${name(session)} has failed.`);
      }
      before.set(session.id, session.status);
    }
  }

  // Anew only when something changed: what is being read stays where it is, and the focus where it was.
  function draw(all) {
    const now = JSON.stringify([all, [...outdated]]);
    if (now === shown) return;
    const held = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    list.replaceChildren(...(all.length ? all.map((session) => card(session, outdated.has(session.id), act)) : [empty()]));
    if (held) {
      const [id] = held.split(' ');
      const same = list.querySelector(`[data-key="${CSS.escape(held)}"]`) ?? list.querySelector(`[data-key^="${CSS.escape(id)} "]`);
      (same ?? create).focus();
    }
    shown = now;
  }

  look();
  get('/api/features').then(({ idle_timeout_minutes: minutes }) => {
    if (minutes > 0) rule.textContent = `A session that nobody uses for ${minutes} minutes is stopped, unless it computes. Its files stay.`;
  }, () => {});
  const seen = () => { if (!document.hidden) look(); };
  document.addEventListener('visibilitychange', seen);
  return () => {
    gone = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}

function empty() {
  return el('li', { class: 'card empty' }, el('h2', {}, 'You have no session yet'),
    el('p', { class: 'faint' }, 'A session is a container with the tools for building overlays, a terminal, and your files.'),
    el('ol', {},
      el('li', {}, el('strong', {}, 'New session'), ' makes one; that takes some seconds.'),
      el('li', {}, 'In its ', el('strong', {}, 'Terminal'), ', ', el('code', {}, 'make overlay'), ' builds a firmware from the overlays in your workspace.'),
      el('li', {}, el('strong', {}, 'Files'), ' is where you fetch it, and put in your own.')));
}

/** For administrators: a code for somebody new. */
function invites() {
  const made = el('output');
  return el('section', { class: 'card', 'aria-label': 'Invite somebody' },
    el('h2', {}, 'Invite somebody'),
    el('p', { class: 'faint' }, 'Whoever has the code registers with it on the log-in page, once.'),
    form([{ name: 'note', label: 'For whom', optional: true, hint: 'A note for you; nobody else sees it.', input: { autocomplete: 'off', maxlength: 200 } }], 'Make an invite code', async (given) => {
      const invite = await post('/api/admin/invite-codes', { note: given.note || undefined });
      made.replaceChildren('Good once: ', el('span', { class: 'code' }, invite.code));
    }), made);
}
