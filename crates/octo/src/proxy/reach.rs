//! Getting through to a service: what a failure means for a session in its state, and when to try again.

use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::exchange::Failure;
use super::framing;
use super::service::{Ask, Shared, ending};
use super::target::Target;
use crate::api::error::{ApiError, Code};
use crate::session::{Service, State};

/// How long a connection is watched before a body that can be sent only once is entrusted to it. Forwarders of some
/// container runtimes accept first and break off when they find that nobody listens inside.
const SETTLING: Duration = Duration::from_millis(150);

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Try again within the window.
    Again,
    /// Answer so.
    Refuse(Code),
}

/// What a failure means while the session is in this state, found after the failure.
const fn verdict(state: State, failure: &Failure, replayable: bool) -> Verdict {
    match (failure, state) {
        (Failure::TooLarge, _) => Verdict::Refuse(Code::PayloadTooLarge),
        (Failure::ClientGone, _) => Verdict::Refuse(Code::BadRequest),
        (_, State::Stopping | State::Stopped | State::Failed) => Verdict::Refuse(Code::ServiceUnavailable),
        (Failure::Deaf(_), State::Pending | State::Starting) => Verdict::Again,
        (Failure::Silent(_), State::Pending | State::Starting) if replayable => Verdict::Again,
        (Failure::Silent(_), State::Pending | State::Starting) => Verdict::Refuse(Code::ServiceUnavailable),
        (Failure::Slow, _) => Verdict::Refuse(Code::GatewayTimeout),
        (Failure::Deaf(_) | Failure::Silent(_) | Failure::Broken(_) | Failure::Declined(_), _) => {
            Verdict::Refuse(Code::BadGateway)
        }
    }
}

/// Tries to get through to one service.
pub(super) struct Reach<'a> {
    shared: &'a Arc<Shared>,
    ask: &'a Ask,
    pub(super) target: Target,
    backoff: Backoff,
    since: Instant,
}

impl<'a> Reach<'a> {
    /// Finds the service, for at most `window` while the session starts.
    pub(super) async fn new(
        shared: &'a Arc<Shared>,
        ask: &'a Ask,
        window: Duration,
    ) -> Result<Self, ApiError> {
        let target = shared.targets.find(&ask.who, &ask.route.session, ask.route.service).await?;
        Ok(Self { shared, ask, target, backoff: Backoff::new(window), since: Instant::now() })
    }

    /// A fresh connection to it.
    pub(super) async fn connect(&self) -> Result<TcpStream, Failure> {
        match timeout(self.shared.limits.connect, TcpStream::connect(self.target.address)).await {
            Ok(Ok(stream)) => {
                // Without this a terminal's keys and small answers would wait for each other.
                drop(stream.set_nodelay(true));
                Ok(stream)
            }
            Ok(Err(error)) => Err(Failure::Deaf(error.to_string())),
            Err(_) if self.target.state == State::Running => Err(Failure::Slow),
            Err(_) => Err(Failure::Deaf("no connection in time".into())),
        }
    }

    /// Watches a fresh connection for a moment where the session starts and the body can be sent only once.
    pub(super) async fn settled(&self, stream: &TcpStream, replayable: bool) -> Result<(), Failure> {
        if self.target.state == State::Running || replayable {
            return Ok(());
        }
        if timeout(SETTLING, stream.readable()).await.is_err() {
            return Ok(());
        }
        match stream.peek(&mut [0]).await {
            Ok(0) => Err(Failure::Deaf("accepted and closed".into())),
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::Deaf(error.to_string())),
        }
    }

    /// After a failure: returns when it is time to try again, with the target found anew.
    ///
    /// # Errors
    /// The answer, where trying again makes no sense.
    pub(super) async fn after(&mut self, failure: Failure, replayable: bool) -> Result<(), ApiError> {
        // The service of a running session should have answered: the container may be gone.
        let state = match self.target.state {
            State::Running if !matches!(failure, Failure::TooLarge | Failure::ClientGone) => {
                self.shared.targets.look_again(self.target.session).await?
            }
            state => state,
        };
        match verdict(state, &failure, replayable) {
            Verdict::Again => self.again(&failure).await,
            Verdict::Refuse(Code::ServiceUnavailable) => Err(self.unavailable(state).await),
            Verdict::Refuse(Code::PayloadTooLarge) => Err(framing::too_large(self.shared.limits.body)),
            Verdict::Refuse(code) => Err(refusal(code, self.ask.route.service, &failure)),
        }
    }

    /// Waits for the next try.
    async fn again(&mut self, failure: &Failure) -> Result<(), ApiError> {
        tracing::debug!(session = %self.target.session, ?failure, "the service does not answer yet");
        let Some(wait) = self.backoff.next(self.since.elapsed()) else {
            return Err(starting(self.target.state, self.ask.route.service));
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = self.shared.ending.cancelled() => return Err(ending()),
        }
        self.find().await
    }

    /// Finds the target anew: it may have other ports by now, or none.
    async fn find(&mut self) -> Result<(), ApiError> {
        let route = &self.ask.route;
        self.target = self.shared.targets.find(&self.ask.who, &route.session, route.service).await?;
        Ok(())
    }

    /// Why there is no service, in the words of whoever keeps the sessions.
    async fn unavailable(&mut self, state: State) -> ApiError {
        match self.find().await {
            Err(error) => error,
            Ok(()) => starting(state, self.ask.route.service),
        }
    }
}

/// The refusal while the session is on its way.
pub(super) fn starting(state: State, service: Service) -> ApiError {
    let name = name(service);
    ApiError::new(
        Code::ServiceUnavailable,
        format!("the session is {state} and its {name} does not answer yet; try again"),
    )
    .with(json!({"status": state}))
    .retry_after(1)
}

fn refusal(code: Code, service: Service, failure: &Failure) -> ApiError {
    let name = name(service);
    match failure {
        Failure::ClientGone => ApiError::new(code, "the request ended before its body did"),
        Failure::Slow => ApiError::new(code, format!("the session's {name} did not answer in time")),
        Failure::Broken(why) => {
            tracing::warn!("the {name} of a session answered, but not in HTTP: {why}");
            ApiError::new(code, format!("the session's {name} began an answer and broke off"))
        }
        Failure::Declined(status) => ApiError::new(
            code,
            format!("the session's {name} opens no socket for this: it answered {status}"),
        ),
        Failure::Deaf(why) | Failure::Silent(why) => {
            tracing::info!("the {name} of a running session does not answer: {why}");
            ApiError::new(code, format!("the session runs, but its {name} does not answer"))
        }
        Failure::TooLarge => ApiError::new(code, "the body is too large"),
    }
}

/// A service's name for people.
const fn name(service: Service) -> &'static str {
    match service {
        Service::Opencode => "agent server",
        Service::Files => "file server",
        Service::Terminal => "terminal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Failed, Pending, Running, Starting, Stopped, Stopping};
    use Verdict::{Again, Refuse};

    #[test]
    fn a_service_that_starts_is_waited_for_and_one_that_should_run_is_not() {
        let deaf = || Failure::Deaf(String::new());
        let silent = || Failure::Silent(String::new());
        let broken = || Failure::Broken(String::new());
        for (state, failure, replayable, expected) in [
            (Pending, deaf(), false, Again),
            (Starting, deaf(), false, Again),
            (Starting, silent(), true, Again),
            (Starting, silent(), false, Refuse(Code::ServiceUnavailable)),
            (Starting, broken(), true, Refuse(Code::BadGateway)),
            (Starting, Failure::Slow, true, Refuse(Code::GatewayTimeout)),
            (Running, deaf(), true, Refuse(Code::BadGateway)),
            (Running, silent(), true, Refuse(Code::BadGateway)),
            (Running, broken(), true, Refuse(Code::BadGateway)),
            (Running, Failure::Slow, true, Refuse(Code::GatewayTimeout)),
            (Stopping, deaf(), true, Refuse(Code::ServiceUnavailable)),
            (Stopped, silent(), true, Refuse(Code::ServiceUnavailable)),
            (Failed, Failure::Slow, true, Refuse(Code::ServiceUnavailable)),
            (Failed, broken(), true, Refuse(Code::ServiceUnavailable)),
            (Running, Failure::TooLarge, false, Refuse(Code::PayloadTooLarge)),
            (Starting, Failure::TooLarge, false, Refuse(Code::PayloadTooLarge)),
            (Running, Failure::ClientGone, false, Refuse(Code::BadRequest)),
        ] {
            assert_eq!(verdict(state, &failure, replayable), expected, "{state} {failure:?} {replayable}");
        }
    }
}
