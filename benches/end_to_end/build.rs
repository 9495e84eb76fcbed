//! Compiles the server's own protos, as the server does.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../proto");
    let protos = ["sunmi/trade/v1/trade_service.proto"];
    let descriptors = protox::compile(protos, ["../../proto"])?;
    tonic_prost_build::configure().btree_map(".").compile_fds(descriptors)?;
    Ok(())
}
