//! integration tests
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod codec_captures;
mod codec_fixtures;
mod codec_properties;
mod codec_style;
