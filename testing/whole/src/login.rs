//! How a device logs in, and its habits from then on.

use nightjar_wire::{Body, Kind, Packet, body};

use crate::{Device, Packets, Server};

/// The ways to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Plain TCP.
    Tcp,
    /// TLS; the server needs a certificate.
    Tls,
    /// WebSocket, binary messages.
    Binary,
    /// WebSocket, text messages.
    Json,
}

/// What a device acknowledges of what it is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nothing: connected is not seen.
    Nothing,
    /// `stored`.
    Stored,
    /// `stored` and `surfaced`.
    Surfaced,
}

/// Why a hello was refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The error of the answer.
    pub error: body::ErrorDetail,
    /// The reason of the `bye`, if one came.
    pub bye: Option<body::Bye>,
}

/// A hello that was not said yet.
#[derive(Debug, Clone)]
pub struct Login {
    pub(crate) uid: String,
    pub(crate) acks: Acks,
    token: Option<String>,
    way: Way,
    hello: body::Hello,
}

impl Login {
    /// A device in the foreground that stores what it gets and shows nothing, over TCP.
    #[must_use]
    pub fn new(uid: &str, device_id: &str) -> Self {
        let hello = body::Hello {
            device_id: device_id.to_owned(),
            platform: "cli".to_owned(),
            app_state: "foreground".to_owned(),
            ..body::Hello::default()
        };
        Self { uid: uid.to_owned(), acks: Acks::Stored, token: None, way: Way::Tcp, hello }
    }

    /// With this token instead of a new one.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Over another way.
    #[must_use]
    pub fn over(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// With other habits.
    #[must_use]
    pub fn acks(mut self, acks: Acks) -> Self {
        self.acks = acks;
        self
    }

    /// In the background from the start, with or without a grace.
    #[must_use]
    pub fn background(mut self, grace_ms: i64) -> Self {
        self.hello.app_state = "background".to_owned();
        self.hello.grace_ms = Some(grace_ms);
        self
    }

    /// Resumes a session.
    #[must_use]
    pub fn resume(mut self, resume: &str) -> Self {
        self.hello.resume = Some(resume.to_owned());
        self
    }

    /// Logs in.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn to(self, server: &Server) -> Device {
        let uid = self.uid.clone();
        match self.try_to(server).await {
            Ok(device) => device,
            Err(refused) => panic!("{uid} was refused: {refused:?}"),
        }
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`Refused`].
    ///
    /// # Panics
    /// When the connection ends without an answer.
    pub async fn try_to(mut self, server: &Server) -> Result<Device, Refused> {
        self.hello.token = match self.token.take() {
            Some(token) => token,
            None => server.api().token(&self.uid).await,
        };
        let mut packets = Packets::connect(server, self.way).await;
        let hello = Body::Hello(self.hello.clone());
        packets.send(&Packet::request(1, Kind::Hello, hello)).await;
        let answer = packets.next().await.expect("an answer to the hello");
        match answer.body {
            Body::HelloAnswer(answer) => Ok(Device::start(&self, *answer, packets)),
            Body::Error(error) => {
                let rest = packets.rest().await;
                let bye = rest.into_iter().find_map(|packet| match packet.body {
                    Body::Bye(bye) => Some(bye),
                    _ => None,
                });
                Err(Refused { error: error.error.unwrap_or_default(), bye })
            }
            other => panic!("a hello was answered with {other:?}"),
        }
    }

    pub(crate) fn device_id(&self) -> &str {
        &self.hello.device_id
    }
}
