//! integration tests
mod http_transport;
