//! Makes the stubs with protox, a compiler in Rust, so that no `protoc` is needed.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

/// Where the contract is. A copy of this package brings its own copy of it.
const PROTO: &str = "../../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile(
        [
            "sunmi/trade/v1/trade_service.proto",
            "sunmi/trade/v1/refund_ledger_service.proto",
            "sunmi/trade/v1/error.proto",
        ],
        [PROTO],
    )?;
    // What proto3 JSON is made by.
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .build_server(false)
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
