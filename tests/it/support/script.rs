//! A server that knows no protocol: it follows a script of bytes to wait for and bytes to send.

use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::sleep,
};

/// One step of a script.
pub(crate) enum Step {
    /// Reads until this text has come.
    Expect(&'static str),
    /// Sends this text.
    Send(String),
    /// Reads and answers nothing until the other side closes.
    FallSilent,
    /// Sends white space every few milliseconds and reads nothing, until the other side closes.
    Murmur,
    /// Lets the test know that this step was reached.
    Signal(oneshot::Sender<()>),
    /// Closes the connection.
    Close,
}

/// Listens on a free port and plays one script per connection, in order.
pub(crate) async fn play(scripts: Vec<Vec<Step>>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let task = tokio::spawn(async move {
        for script in scripts {
            let (socket, _) = listener.accept().await.expect("a connection");
            follow(socket, script).await;
        }
    });
    (address, task)
}

async fn follow(mut socket: TcpStream, script: Vec<Step>) {
    let mut seen = String::new();
    let mut bytes = vec![0; 4096];
    for step in script {
        match step {
            Step::Expect(text) => loop {
                if let Some(at) = seen.find(text) {
                    seen.drain(..at + text.len());
                    break;
                }
                let n = socket.read(&mut bytes).await.expect("more bytes");
                assert!(n > 0, "closed while waiting for {text:?}; had {seen:?}");
                seen.push_str(&String::from_utf8_lossy(&bytes[..n]));
            },
            Step::Send(text) => socket.write_all(text.as_bytes()).await.expect("to send"),
            Step::FallSilent => while socket.read(&mut bytes).await.is_ok_and(|n| n > 0) {},
            Step::Murmur => {
                while socket.write_all(b" ").await.is_ok() {
                    sleep(Duration::from_millis(5)).await;
                }
            }
            Step::Signal(signal) => signal.send(()).expect("a test that waits"),
            Step::Close => return,
        }
    }
    while socket.read(&mut bytes).await.is_ok_and(|n| n > 0) {}
}
