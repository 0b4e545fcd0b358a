// Takes the login that Fluidd keeps in this browser, and shows it with every request for the set-up page.
'use strict';
(() => {
  const COOKIE = 'octobridge';
  // As Fluidd names it: first the one of this address, then any.
  const own = 'user-token-' + location.host.replace(/[^a-zA-Z0-9]/g, '_');
  const others = Object.keys(localStorage).filter(name => name.startsWith('user-token-'));
  const login = [own, ...others].map(name => localStorage.getItem(name)).find(Boolean);
  const shown = document.cookie.split('; ').find(pair => pair.startsWith(COOKIE + '='));
  // Only what can stand in a cookie and in a header; and one that was refused is not shown again.
  if (login && /^[\w.-]+$/.test(login) && shown !== COOKIE + '=' + login) {
    document.cookie = COOKIE + '=' + login + '; path=/octobridge/; samesite=strict';
    location.replace('/octobridge/');
  }
})();
