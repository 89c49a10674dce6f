//! A session of a user of the home domain under measurement.

use std::path::Path;

use super::super::super::Failure;
use super::domain::{address, name};
use crate::access::line::Requests;
use crate::admin::{Client, Line, Request};
use crate::home::{Delivery, FromClient, Takes, ToClient};
use crate::imps::{Code, Primitive};

/// A session of a user.
pub(super) struct User {
    client: Client,
    pub(super) requests: Requests,
    pub(super) number: usize,
    asked: u64,
}

impl User {
    pub(super) async fn login(socket: &Path, number: usize) -> Result<Self, Failure> {
        let mut client = Client::connect(socket).await?;
        let chat = Request::Chat {
            user: name(number),
            password: None,
            takes: Takes::Everything,
            delivery: Delivery::default(),
        };
        client.say(&chat).await?;
        while !matches!(client.next().await?, Line::Event(ToClient::Opened { .. })) {}
        Ok(Self {
            client,
            requests: Requests::of(address(number)),
            number,
            asked: 0,
        })
    }

    /// Asks, and waits for the answer.
    pub(super) async fn ask(&mut self, primitive: Primitive) -> Result<(), Failure> {
        self.asked += 1;
        let id = self.asked.to_string();
        let request = FromClient::Request {
            id: id.clone(),
            primitive: Box::new(primitive),
        };
        self.client.say(&request).await?;
        loop {
            match self.next().await? {
                ToClient::Answer {
                    id: answered,
                    primitive,
                    ..
                } if answered == id => {
                    let code = primitive.verdict().map_or(Code::OK, |s| s.code);
                    if code.is_success() {
                        return Ok(());
                    }
                    let why = format!("{} was answered {}", primitive.name(), code.0);
                    return Err(Failure::Failed(why));
                }
                _ => {}
            }
        }
    }

    /// Waits for a message.
    pub(super) async fn take(&mut self) -> Result<(), Failure> {
        loop {
            if let ToClient::Take { primitive, .. } = self.next().await?
                && matches!(*primitive, Primitive::NewMessage(_))
            {
                return Ok(());
            }
        }
    }

    /// Waits until somebody has this status.
    pub(super) async fn hear(&mut self, status: &str) -> Result<(), Failure> {
        loop {
            if let ToClient::Now { primitive } = self.next().await?
                && primitive.to_xml(None).contains(&format!(">{status}<"))
            {
                return Ok(());
            }
        }
    }

    /// What it is told next; acknowledged, where that is wanted.
    async fn next(&mut self) -> Result<ToClient, Failure> {
        loop {
            if let Line::Event(told) = self.client.next().await? {
                if let Some(number) = told.number() {
                    self.client.say(&FromClient::Ack { number }).await?;
                }
                return Ok(told);
            }
        }
    }
}
