//! Many open terminals.

use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

pub(crate) struct Open {
    _sockets: Vec<WebSocketStream<TcpStream>>,
    _runtime: Runtime,
}

/// Opens so many, and lets each say something and hear an answer.
pub(crate) fn open(server: SocketAddr, count: usize, protocol: Option<&str>) -> Open {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sockets = runtime.block_on(async {
        let mut sockets = Vec::new();
        for _ in 0..count {
            let mut request =
                format!("ws://{server}/sessions/cold-lamp/terminal").into_client_request().unwrap();
            if let Some(protocol) = protocol {
                request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
            }
            let stream = TcpStream::connect(server).await.unwrap();
            let config = WebSocketConfig::default().read_buffer_size(4096);
            let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await.unwrap();
            socket.send(Message::binary(&b"{}"[..])).await.unwrap();
            socket.next().await.unwrap().unwrap();
            sockets.push(socket);
        }
        for socket in &mut sockets {
            socket.send(Message::binary(&b"0ls"[..])).await.unwrap();
        }
        for socket in &mut sockets {
            socket.next().await.unwrap().unwrap();
        }
        sockets
    });
    Open { _sockets: sockets, _runtime: runtime }
}
