//! Which service of which session a path means. Pure; the path is taken byte for byte, as it was sent.

use percent_encoding::percent_decode_str;

use crate::session::Service;

/// A name of a session is never longer than this.
const LONGEST_NAME: usize = 64;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The session by the name that was used: its id, the begin of it, or its readable id.
    pub session: String,
    /// The service.
    pub service: Service,
    /// The part of the path that is ours, as `/sessions/cold-lamp/files`.
    pub prefix: String,
    /// The service's own path with the query, from the `/` on; what was sent, unchanged. `/` where there was nothing.
    pub rest: String,
    /// Whether nothing at all followed the service's name, not even a `/`.
    pub bare: bool,
}

/// The words for each service: those that the documents name, and those of older programs.
const WORDS: [(&str, &str, Service); 9] = [
    ("/sessions/", "opencode", Service::Opencode),
    ("/sessions/", "files", Service::Files),
    ("/sessions/", "terminal", Service::Terminal),
    ("/session/", "code", Service::Opencode),
    ("/session/", "files", Service::Files),
    ("/session/", "term", Service::Terminal),
    ("/api/sessions/", "opencode", Service::Opencode),
    ("/api/sessions/", "files", Service::Files),
    ("/api/sessions/", "terminal", Service::Terminal),
];

/// The patterns of all routes, for the router.
#[must_use]
pub fn patterns() -> Vec<String> {
    WORDS
        .iter()
        .flat_map(|(before, word, _)| {
            let base = format!("{before}{{id}}/{word}");
            [base.clone(), format!("{base}/"), format!("{base}/{{*rest}}")]
        })
        .collect()
}

impl Route {
    /// Where this path and query lead; `None` where no route of the proxies does.
    #[must_use]
    pub fn of(path_and_query: &str) -> Option<Self> {
        let path_ends = path_and_query.find('?').unwrap_or(path_and_query.len());
        let (path, query) = path_and_query.split_at(path_ends);
        WORDS.iter().find_map(|(before, word, service)| {
            let (name, after) = path.strip_prefix(before)?.split_once('/')?;
            let rest = after.strip_prefix(word)?;
            if !(rest.is_empty() || rest.starts_with('/')) {
                return None;
            }
            let session = percent_decode_str(name).decode_utf8().ok()?.into_owned();
            if session.is_empty() || session.len() > LONGEST_NAME {
                return None;
            }
            let prefix = path.get(..path.len() - rest.len())?.to_owned();
            let slash = if rest.is_empty() { "/" } else { "" };
            Some(Self {
                session,
                service: *service,
                prefix,
                rest: format!("{slash}{rest}{query}"),
                bare: rest.is_empty(),
            })
        })
    }

    /// The service's own path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.rest.split('?').next().unwrap_or("/")
    }

    /// The query, without its `?`; empty where there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.rest.split_once('?').map_or("", |(_, query)| query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_word_leads_to_its_service() {
        for (path, service, prefix, rest) in [
            (
                "/sessions/cold-lamp/opencode/event",
                Service::Opencode,
                "/sessions/cold-lamp/opencode",
                "/event",
            ),
            ("/sessions/1/files/tree?path=.", Service::Files, "/sessions/1/files", "/tree?path=."),
            ("/sessions/1/terminal", Service::Terminal, "/sessions/1/terminal", "/"),
            ("/sessions/1/terminal?a=b", Service::Terminal, "/sessions/1/terminal", "/?a=b"),
            ("/sessions/1/terminal/", Service::Terminal, "/sessions/1/terminal", "/"),
            ("/session/1/code/event", Service::Opencode, "/session/1/code", "/event"),
            ("/session/1/files/a", Service::Files, "/session/1/files", "/a"),
            ("/session/1/term", Service::Terminal, "/session/1/term", "/"),
            ("/api/sessions/1/opencode", Service::Opencode, "/api/sessions/1/opencode", "/"),
            ("/api/sessions/1/files//x", Service::Files, "/api/sessions/1/files", "//x"),
            ("/api/sessions/1/terminal/ws", Service::Terminal, "/api/sessions/1/terminal", "/ws"),
        ] {
            let route = Route::of(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(
                (route.service, route.prefix.as_str(), route.rest.as_str()),
                (service, prefix, rest),
                "{path}"
            );
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "/",
            "/sessions",
            "/sessions/1",
            "/sessions/1/",
            "/sessions//files",
            "/sessions/1/filesystem",
            "/sessions/1/code",
            "/sessions/1/term",
            "/session/1/opencode",
            "/session/1/terminal",
            "/api/session/1/files",
            "/api/sessions/1/logs",
            "/sessions/%ff/files",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }

    #[test]
    fn the_service_s_path_is_not_decoded() {
        let route = Route::of("/sessions/cold%2Dlamp/files/a%2Fb%20c/../d?e=%zz%00").unwrap();
        assert_eq!(route.session, "cold-lamp");
        assert_eq!(route.rest, "/a%2Fb%20c/../d?e=%zz%00");
        assert_eq!(route.path(), "/a%2Fb%20c/../d");
        assert_eq!(route.query(), "e=%zz%00");
    }

    proptest! {
        #[test]
        fn what_follows_survives_byte_for_byte(rest in "/[!-~&&[^#]]{0,60}") {
            let route = Route::of(&format!("/sessions/1/files{rest}")).unwrap();
            let expected = if rest.is_empty() { "/" } else { &rest };
            prop_assert_eq!(route.rest, expected);
        }

        #[test]
        fn no_path_is_too_strange(path in ".{0,200}") {
            let _ = Route::of(&path);
        }
    }
}
