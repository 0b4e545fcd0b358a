// Keeps an open page true and sends its forms. Without it the page is read as it was when it was loaded, and its forms
// work all the same.
'use strict';
(() => {
  const notice = document.getElementById('notice');
  const say = text => { notice.textContent = text; };

  // Makes `old` like `fresh`, and leaves alone what a person is typing, has unfolded or has the focus on.
  // A choice is never made of another button: somebody may be about to press that.
  const choice = node => node.nodeName === 'BUTTON' && node.value.startsWith('choose ') ? node.value : '';
  const isSame = (one, other) =>
    one.nodeName === other.nodeName && one.id === other.id && choice(one) === choice(other);
  const follow = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    // The camera's frame is shown and hidden by what comes of its pictures; what was pressed waits for its answer.
    const kept = name => name === 'open' || name === 'aria-busy' || (name === 'src' && old.hasAttribute('data-live')) ||
      (name === 'hidden' && old.nodeName === 'FIGURE');
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
    }
    for (const { name, value } of [...fresh.attributes]) {
      if (old.getAttribute(name) !== value && !kept(name)) old.setAttribute(name, value);
    }
    // What came or went in between moves the rest, and must not make it new.
    let at = old.firstChild;
    for (const node of [...fresh.childNodes]) {
      let same = at;
      while (same && !isSame(same, node)) same = same.nextSibling;
      if (!same) { old.insertBefore(node, at); continue; }
      while (at !== same) { const gone = at; at = at.nextSibling; gone.remove(); }
      at = at.nextSibling;
      follow(same, node);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  };

  // Times that run out: the service tells its own clock, so that a browser with another one counts right.
  let clock;
  const now = () => performance.now() / 1000 + clock;
  const count = () => clock !== undefined && document.querySelectorAll('time[data-until]').forEach(time => {
    const left = Math.max(0, Math.round(time.dataset.until - now()));
    const two = number => String(number).padStart(2, '0');
    const hours = Math.floor(left / 3600);
    const rest = two(Math.floor(left / 60) % 60) + ':' + two(left % 60);
    const text = hours ? hours + ':' + rest : rest;
    if (time.textContent !== text) time.textContent = text;
  });
  setInterval(count, 500);

  // The page's parts, as they change.
  const { lost, ended } = document.body.dataset;
  let down = false;
  // Why something is refused, in the service's own words. Those of a web server in between are not for people.
  const why = answer => {
    if (answer.headers.get('content-type')?.startsWith('text/plain')) return answer.text();
    down = true;
    return lost;
  };
  // What goes on ends with the service, and the next one has another key.
  const key = part => part?.querySelector('[name=key]')?.value;
  const runs = part => part.querySelector('[value=cancel]');
  let events;
  const live = () => {
    // A browser has six lines to a printer, for all tabs together.
    if (document.hidden || events && events.readyState !== EventSource.CLOSED) return;
    events = new EventSource('page/live');
    events.addEventListener('clock', event => {
      clock = Number(event.data) - performance.now() / 1000;
      if (down) say('');
      down = false;
      count();
    });
    events.addEventListener('cards', event => {
      for (let at = Number(event.data), old; (old = document.getElementById('card' + at)); at++) old.remove();
    });
    events.addEventListener('part', event => {
      const { id, html } = JSON.parse(event.data);
      const old = document.getElementById(id);
      const box = document.createElement('template');
      box.innerHTML = html;
      const fresh = box.content.firstElementChild;
      if (old && runs(old) && !runs(fresh) && key(old) !== key(fresh)) say(ended);
      // A card that is new comes behind the others.
      if (old) follow(old, fresh);
      else document.getElementById('doctor').before(box.content);
      count();
    });
    events.addEventListener('error', () => {
      if (!down) say(lost);
      down = true;
      // A refusal ends it for good; then it is asked for anew, and why. Where the printer wants a login by now, its door
      // shows.
      if (events.readyState !== EventSource.CLOSED) return;
      setTimeout(live, 3000);
      fetch('page/live').then(async answer => {
        if (answer.status === 401) location.reload();
        else if (answer.ok) answer.body.cancel();
        else say(await why(answer));
      }, () => {});
    });
  };
  live();

  // The camera, while somebody looks. One picture at a time: on a slow line they would keep all else waiting.
  let next;
  const look = () => {
    const picture = document.querySelector('img[data-live]');
    if (!picture || document.hidden || next) return;
    next = new Image();
    const shown = well => {
      if (well) picture.src = next.src;
      picture.parentElement.hidden = !well;
      next = undefined;
    };
    next.onload = () => shown(true);
    next.onerror = () => shown(false);
    next.src = 'page/camera.jpg?' + Date.now();
  };
  look();
  setInterval(look, 3000);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) events?.close();
    live();
    look();
  });

  // Forms.
  document.addEventListener('submit', async event => {
    event.preventDefault();
    const form = event.target;
    const button = event.submitter;
    if (button?.hasAttribute('aria-busy')) return;
    const body = new URLSearchParams(new FormData(form, button));
    button?.setAttribute('aria-busy', 'true');
    try {
      const answer = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'text/plain' } });
      if (answer.status === 401) location.reload();
      say(answer.ok ? '' : await why(answer));
      if (answer.ok) form.querySelectorAll('input:not([type=hidden]), textarea').forEach(field => { field.value = ''; });
    } catch {
      say(lost);
      down = true;
    }
    // The second press of a double one comes before the page shows what the first has done.
    setTimeout(() => button?.removeAttribute('aria-busy'), 500);
  });

  // A file of Connect's goes into the field beside it.
  document.addEventListener('change', async event => {
    const into = event.target.dataset?.into;
    if (into && event.target.files[0]) document.getElementById(into).value = await event.target.files[0].text();
  });
})();
