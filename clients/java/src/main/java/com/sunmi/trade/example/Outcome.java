package com.sunmi.trade.example;

/** What is known of a refund. A greater one is a greater exit status. */
enum Outcome {
  /** The money was refunded. */
  DONE,
  /** No money moved. */
  DECLINED,
  /** The money may have moved, or may yet. */
  PENDING
}
