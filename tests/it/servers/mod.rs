//! Servers that check our tokens themselves: the layer, and the servers of docs/servers as they stand there.

mod languages;
mod layer;
mod rmcp_example;
mod stand;
