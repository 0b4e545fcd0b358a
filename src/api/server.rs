//! Takes connections, a bounded number of them, and ends those that stand still.

use super::connection::{self, Pulse, stopped};
use super::page::Seats;
use super::view::View;
use std::cmp::Reverse;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local, yield_now};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// Most connections at a time.
const MOST: usize = 32;
/// When all are taken, one that has stood still this long makes room for the next.
const YIELDS_AFTER: Duration = Duration::from_secs(1);
/// Most different pictures that are kept in memory for the sake of slow readers.
const MOST_PICTURES: usize = 3;
/// How often the connections are looked after.
const ROUND: Duration = Duration::from_secs(1);
/// A breath after each this many connections that found no room, so that a flood of them leaves the processor to
/// others.
const BREATH_EVERY: u32 = 32;
const BREATH: Duration = Duration::from_millis(10);
/// How long it is waited when the system has no connection to give: it is out of file descriptors, most likely.
const NO_DESCRIPTORS: Duration = Duration::from_millis(200);
/// Answers under way have this long when the program stops.
const GRACE: Duration = Duration::from_millis(700);

/// Most clients at a time that found no room and are heard out.
const MOST_TURNED_AWAY: usize = 8;
/// For how long, and for how many bytes, that is.
const HEARD_FOR: Duration = Duration::from_secs(2);
const MOST_HEARD: usize = 256 * 1024;

/// What a client hears that finds no room.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
    X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nRetry-After: 1\r\nContent-Length: 35\r\n\
    Connection: close\r\n\r\n{\"detail\":\"Too many connections.\"}\n";

/// Connections that may wait to be taken. Beyond it the system makes clients try again a second later.
const WAITING_ROOM: u32 = 1024;

/// Listens on `address`. To be called within a runtime.
///
/// # Errors
///
/// What the system says: the port is taken, or the address is not one of this machine.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Connections of the service's last run may still linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_ROOM)
}

/// Answers until `shutdown` is true or dropped, then ends within a second. To be run in a
/// [`LocalSet`](tokio::task::LocalSet).
pub async fn serve(listener: TcpListener, view: Rc<dyn View>, mut shutdown: watch::Receiver<bool>) {
    let mut connections = Connections(Vec::new());
    let seats = Seats::default();
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut without_room = 0_u32;
    let turned_away = Rc::new(());
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut shutdown) => break,
            _ = rounds.tick(), if !connections.0.is_empty() => {
                connections.end_those_that_stand_still();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if connections.make_room() => {
                // The answer is written in one piece; without this its end may wait for the client's word.
                let _ = stream.set_nodelay(true);
                let pulse = Pulse::new();
                let (view, seats) = (Rc::clone(&view), seats.clone());
                let run = connection::run(stream, view, Rc::clone(&pulse), seats, shutdown.clone());
                connections.0.push(Connection { task: spawn_local(run), pulse });
            }
            Ok((stream, _)) => {
                turn_away(stream, &turned_away);
                without_room = without_room.wrapping_add(1);
                match without_room % BREATH_EVERY {
                    0 => sleep(BREATH).await,
                    _ => yield_now().await,
                }
            }
            Err(error) => {
                log::debug!("api: cannot take a connection: {error}");
                sleep(NO_DESCRIPTORS).await;
            }
        }
    }
    drop(listener);
    let ended = async {
        for connection in &mut connections.0 {
            let _ = (&mut connection.task).await;
        }
    };
    let _ = timeout(GRACE, ended).await;
}

/// Tells a client that there is no room. Closing with its request unread could take the answer away from a web server in
/// between, so that is read and thrown away; in a flood of them nobody is heard out. `others` is held for each who is.
fn turn_away(mut stream: TcpStream, others: &Rc<()>) {
    if Rc::strong_count(others) > MOST_TURNED_AWAY {
        if let Ok(mut stream) = stream.into_std() {
            let _ = io::Write::write(&mut stream, BUSY);
        }
        return;
    }
    let one = Rc::clone(others);
    spawn_local(async move {
        let heard = async {
            stream.write_all(BUSY).await?;
            stream.shutdown().await?;
            let (mut some, mut left) = ([0; 512], MOST_HEARD);
            while left > 0 {
                match stream.read(&mut some).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
            io::Result::Ok(())
        };
        let _ = timeout(HEARD_FOR, heard).await;
        drop(one);
    });
}

/// A connection and its marks.
struct Connection {
    task: JoinHandle<()>,
    pulse: Rc<Pulse>,
}

/// All connections in the order in which they came; they end when this is dropped.
struct Connections(Vec<Connection>);

impl Connections {
    fn end_those_that_stand_still(&mut self) {
        let now = Instant::now();
        for connection in self.0.iter().filter(|connection| connection.pulse.is_over(now)) {
            connection.task.abort();
        }
        self.let_go_of_old_pictures();
        self.forget_the_ended();
    }

    /// Ends those that still read an old answer when many different ones are under way: a picture has a megabyte or
    /// two, and each of them stays in memory until its last reader has it.
    fn let_go_of_old_pictures(&self) {
        let sending = self.0.iter().filter_map(|connection| Some((connection.pulse.sends()?, connection)));
        let mut sending: Vec<_> = sending.collect();
        sending.sort_by_key(|((since, _), _)| Reverse(*since));
        let mut kept = Vec::new();
        for ((_, place), connection) in sending {
            match kept.contains(&place) {
                true => {}
                false if kept.len() < MOST_PICTURES => kept.push(place),
                false => connection.task.abort(),
            }
        }
    }

    fn forget_the_ended(&mut self) {
        self.0.retain(|connection| !connection.task.is_finished());
    }

    /// Whether there is room for one more, for which the one that has stood still for longest may have to go.
    fn make_room(&mut self) -> bool {
        self.let_go_of_old_pictures();
        self.forget_the_ended();
        if self.0.len() < MOST {
            return true;
        }
        let now = Instant::now();
        let stand = self.0.iter().map(|connection| connection.pulse.stands(now)).enumerate();
        match stand.max_by_key(|(_, stands)| *stands) {
            Some((index, stands)) if stands >= YIELDS_AFTER => {
                self.0.remove(index).task.abort();
                true
            }
            _ => {
                // All are busy. Clients that ask again and again would stay so for ever: the one that came first gives
                // way behind its next answer, which costs it no more than another connection.
                let _ = self.0.iter().any(|connection| connection.pulse.give_way());
                false
            }
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        for connection in &self.0 {
            connection.task.abort();
        }
    }
}
