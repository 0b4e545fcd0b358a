//! Logging in and out, registering, changing one's password, tickets for WebSockets.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json as Body};
use http::StatusCode;
use http::header::{HeaderValue, SET_COOKIE};
use http::request::Parts;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{ApiError, Code, Refusal};
use super::extract::Json;
use super::valid;
use crate::auth::layer::comes_from_elsewhere;
use crate::auth::{Client, Identity, Role, Standing, cookie, dev, password, ticket};
use crate::server::{App, Note};
use crate::store::invites::{self, InviteError};
use crate::store::users::{self, Change, NewUser, User, UserError};
use crate::store::{StoreError, Writes, tokens};

/// The routes here.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(register))
        .routes(routes!(logout))
        .routes(routes!(change_password))
        .routes(routes!(new_ticket))
}

/// Name and password.
#[derive(Deserialize, ToSchema)]
pub struct Login {
    /// The user's name or e-mail address.
    username: String,
    /// Their password.
    password: String,
}

/// A new user.
#[derive(Deserialize, ToSchema)]
pub struct Registration {
    /// The name to log in with: 3 to 50 of `A-Z a-z 0-9 _ -`.
    username: String,
    /// Their address.
    email: String,
    /// At least 8 characters.
    password: String,
    /// The code that an administrator gave.
    invite_code: String,
    /// How they want to be called; without it, the name.
    display_name: Option<String>,
}

/// A log-in.
#[derive(Serialize, ToSchema)]
pub struct LoggedIn {
    /// For the header `Authorization: Bearer …`; browsers have it as a cookie too.
    token: String,
    /// Who logged in.
    user: Who,
}

/// Who logged in.
#[derive(Serialize, ToSchema)]
pub struct Who {
    /// Their id.
    id: String,
    /// How they are called.
    name: String,
    /// Their address.
    email: String,
    /// What they may do.
    role: Role,
}

/// A change of password.
#[derive(Deserialize, ToSchema)]
pub struct PasswordChange {
    /// The one until now.
    current_password: String,
    /// The new one: at least 8 characters.
    new_password: String,
}

/// A ticket.
#[derive(Serialize, ToSchema)]
pub struct Ticket {
    /// For the parameter `token` of a WebSocket or an event stream; good once.
    ticket: String,
    /// Seconds for which it is good.
    expires_in: u64,
}

/// Log in with name (or e-mail address) and password.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", security(()), request_body = Login, responses(
    (status = 200, description = "Logged in; the cookie auth_token is set", body = LoggedIn),
    (status = 401, description = "Wrong name or password", body = Refusal),
    (status = 429, description = "Too many tries; Retry-After says how long to wait", body = Refusal)))]
async fn login(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Json(Login { username, password }): Json<Login>,
) -> Result<Response, ApiError> {
    attempt(&app, &username, &client)?;
    if password.len() > password::LONGEST {
        return Err(wrong());
    }
    let name = username.clone();
    let (found, oldest) = app
        .store
        .read(move |connection| {
            Ok::<_, StoreError>((
                users::for_login(connection, &name)?,
                users::highest_bcrypt_cost(connection)?,
            ))
        })
        .await
        .map_err(internal)?;
    let (mut user, mut hash) = found.map_or((None, None), |(user, hash)| (Some(user), hash));
    let id = user.as_ref().map(|user| user.id.clone());
    let verify = |hash: Option<String>, oldest| app.auth.passwords.verify(password.clone(), hash, oldest);
    let mut verdict = verify(hash.clone(), oldest).await.map_err(ApiError::internal)?;
    if !verdict.right && app.config.auth.dev_mode {
        let all = &app.config.auth.dev_users;
        let of_dev = dev::named(all, &username);
        let dev_hash = of_dev.map(|of_dev| of_dev.password_hash.reveal().to_owned());
        verdict = verify(dev_hash, dev::highest_bcrypt_cost(all)).await.map_err(ApiError::internal)?;
        if let Some(of_dev) = of_dev {
            let id = of_dev.id.clone();
            let row =
                app.store.read(move |connection| users::by_id(connection, &id)).await.map_err(internal)?;
            user = row.filter(dev::is_dev);
            hash = None;
        }
    }
    let Some(user) = user.filter(|user| verdict.right && user.is_active) else {
        let note = Note { action: Some("auth.login".into()), resource: id, ..Note::default() };
        return Ok((Extension(note), wrong()).into_response());
    };
    app.auth.throttle().succeeded(&username, client.address);
    let better = match hash {
        Some(old) if verdict.outdated => {
            Some((old, app.auth.passwords.hash(password).await.map_err(ApiError::internal)?))
        }
        _ => None,
    };
    let id = user.id.clone();
    let noted = app.store.write(move |transaction| {
        if let Some((old, new)) = better {
            users::rehash(transaction, &id, &old, &new)?;
        }
        users::logged_in(transaction, &id, Timestamp::now())
    });
    match noted.await {
        // Who has to look at a server whose disk is full must get in.
        Err(error) if StoreError::writes(&error) != Writes::Possible => {
            tracing::error!("a log-in was not noted: {error}");
        }
        noted => noted.map_err(internal)?,
    }
    welcome(&app, &client, &user, StatusCode::OK, "auth.login")
}

/// Become a user with an invite code.
#[utoipa::path(post, path = "/api/auth/register", tag = "auth", security(()), request_body = Registration, responses(
    (status = 201, description = "Registered and logged in; the cookie auth_token is set", body = LoggedIn),
    (status = 400, description = "The code cannot be used, or a field is not valid", body = Refusal),
    (status = 409, description = "The name or the address is taken", body = Refusal),
    (status = 429, description = "Too many tries; Retry-After says how long to wait", body = Refusal)))]
async fn register(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Json(new): Json<Registration>,
) -> Result<Response, ApiError> {
    valid::username(&new.username)?;
    valid::email(&new.email)?;
    valid::new_password(&new.password)?;
    if let Some(name) = &new.display_name {
        valid::display_name(name)?;
    }
    // Guesses at codes are counted as guesses at passwords are.
    let guess = format!("invite {}", new.invite_code);
    attempt(&app, &guess, &client)?;
    let hash = app.auth.passwords.hash(new.password).await.map_err(ApiError::internal)?;
    let user = NewUser {
        username: new.username,
        email: new.email,
        display_name: new.display_name.unwrap_or_default(),
        password_hash: Some(hash),
        role: Role::User,
        external_id: None,
    };
    let code = new.invite_code;
    // One transaction with the write lock: where the user is not made, the use of the code is not taken either.
    let user = app
        .store
        .write(move |transaction| {
            let now = Timestamp::now();
            let invite = invites::take(transaction, &code, now)?;
            let user = users::create(transaction, &user, now)?;
            invites::used(transaction, &invite, &user.id)?;
            users::logged_in(transaction, &user.id, now)?;
            Ok::<_, RegisterError>(user)
        })
        .await?;
    app.auth.throttle().succeeded(&guess, client.address);
    welcome(&app, &client, &user, StatusCode::CREATED, "auth.register")
}

/// Log out: the token ends, the cookie goes.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", security(()), responses(
    (status = 204, description = "Logged out; also where nobody was logged in")))]
async fn logout(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    standing: Option<Extension<Standing>>,
    request: Parts,
) -> Result<Response, ApiError> {
    // The cookie may not have come with it, and would be removed all the same.
    if comes_from_elsewhere(&app, &request) && standing.is_none() {
        return Err(ApiError::new(Code::Forbidden, "a page of another site sent this")
            .with(json!({"reason": "cross_origin"})));
    }
    let mut actor = None;
    if let Some(Extension(Standing { log_in, .. })) = standing {
        actor = Some(log_in.user);
        // Past the leeway too.
        let end = log_in.exp.and_then(|exp| Timestamp::from_second(exp.saturating_add(120)).ok());
        if let Some(jti) = log_in.jti {
            let end = end.unwrap_or(Timestamp::MAX);
            app.store
                .write(move |transaction| tokens::revoke(transaction, &jti, end, Timestamp::now()))
                .await
                .map_err(internal)?;
            app.log_ins.look();
        }
    }
    let gone = cookie::clear(is_secure(&app, &client)).map_err(ApiError::internal)?;
    let mut response = (StatusCode::NO_CONTENT, [(SET_COOKIE, gone)]).into_response();
    if actor.is_some() {
        response.extensions_mut().insert(Note {
            actor,
            action: Some("auth.logout".into()),
            ..Note::default()
        });
    }
    Ok(response)
}

/// Change one's password: all other log-ins end.
#[utoipa::path(post, path = "/api/auth/password", tag = "auth", request_body = PasswordChange, responses(
    (status = 200, description = "Changed; this is a new log-in", body = LoggedIn),
    (status = 400, description = "The new password is not valid", body = Refusal),
    (status = 401, description = "The current password is wrong", body = Refusal),
    (status = 429, description = "Too many tries", body = Refusal)))]
async fn change_password(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    identity: Identity,
    Json(PasswordChange { current_password, new_password }): Json<PasswordChange>,
) -> Result<Response, ApiError> {
    valid::new_password(&new_password)?;
    attempt(&app, &identity.username, &client)?;
    let id = identity.user_id.clone();
    let hash =
        app.store.read(move |connection| users::password_hash(connection, &id)).await.map_err(internal)?;
    let verdict =
        app.auth.passwords.verify(current_password, hash, None).await.map_err(ApiError::internal)?;
    if !verdict.right {
        return Err(ApiError::new(Code::Unauthorized, "the current password is wrong")
            .with(json!({"reason": "invalid_credentials"})));
    }
    app.auth.throttle().succeeded(&identity.username, client.address);
    let new = app.auth.passwords.hash(new_password).await.map_err(ApiError::internal)?;
    let change = Change { password_hash: Some(new), ..Change::default() };
    let user = app
        .store
        .write(move |transaction| users::update(transaction, &identity.user_id, &change, Timestamp::now()))
        .await?;
    app.log_ins.look();
    welcome(&app, &client, &user, StatusCode::OK, "auth.password")
}

/// Get a ticket for a WebSocket or an event stream, where no header can be sent.
#[utoipa::path(post, path = "/api/auth/ticket", tag = "auth", responses(
    (status = 201, description = "A ticket that is good once, soon", body = Ticket)))]
async fn new_ticket(
    State(app): State<App>,
    _: Identity,
    Extension(standing): Extension<Standing>,
) -> Result<(StatusCode, Body<Ticket>), ApiError> {
    let ticket = app.auth.tickets().issue(standing.log_in, Instant::now()).map_err(ApiError::internal)?;
    Ok((StatusCode::CREATED, Body(Ticket { ticket, expires_in: ticket::LIFE.as_secs() })))
}

fn attempt(app: &App, user: &str, client: &Client) -> Result<(), ApiError> {
    app.auth.throttle().attempt(user, client.address, Instant::now()).map_err(|wait: Duration| {
        let seconds = wait.as_secs() + 1;
        ApiError::new(Code::TooManyRequests, format!("too many tries; wait {seconds} s")).retry_after(seconds)
    })
}

/// One answer for a wrong name, a wrong password and a user who may not come in.
fn wrong() -> ApiError {
    ApiError::new(Code::Unauthorized, "wrong name or password").with(json!({"reason": "invalid_credentials"}))
}

fn is_secure(app: &App, client: &Client) -> bool {
    client.is_https || app.config.server.public_url.as_deref().is_some_and(|url| url.starts_with("https:"))
}

/// The answer with a new token, in body and cookie.
fn welcome(
    app: &App,
    client: &Client,
    user: &User,
    status: StatusCode,
    action: &str,
) -> Result<Response, ApiError> {
    let token = app.auth.tokens.issue(user, Timestamp::now()).map_err(ApiError::internal)?;
    let cookie: HeaderValue = cookie::set(&token, app.config.auth.token_ttl_seconds, is_secure(app, client))
        .map_err(ApiError::internal)?;
    let who = Who {
        id: user.id.clone(),
        name: user.display_name.clone(),
        email: user.email.clone(),
        role: user.role,
    };
    let note = Note {
        actor: Some(user.id.clone()),
        action: Some(action.into()),
        resource: Some(user.id.clone()),
        detail: None,
    };
    Ok((status, Extension(note), [(SET_COOKIE, cookie)], Body(LoggedIn { token, user: who })).into_response())
}

fn internal(error: StoreError) -> ApiError {
    error.into()
}

/// What can go wrong in the transaction of a registration.
enum RegisterError {
    Invite(InviteError),
    User(UserError),
}

impl From<InviteError> for RegisterError {
    fn from(error: InviteError) -> Self {
        Self::Invite(error)
    }
}

impl From<UserError> for RegisterError {
    fn from(error: UserError) -> Self {
        Self::User(error)
    }
}

impl From<StoreError> for RegisterError {
    fn from(error: StoreError) -> Self {
        Self::User(error.into())
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        match error {
            // A code is one field among others here, not a thing that is looked for.
            RegisterError::Invite(
                error @ (InviteError::Missing | InviteError::Used | InviteError::Expired),
            ) => Self::new(Code::BadRequest, error.to_string()).with(json!({"field": "invite_code"})),
            RegisterError::Invite(error) => error.into(),
            RegisterError::User(error) => error.into(),
        }
    }
}
