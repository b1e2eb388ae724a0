"""A model server as a process: a real model behind the interfaces of vLLM and SGLang, with Python's own HTTP server.

    python model_server.py FOLDER [--api-key KEY]

It writes its port. Greedy unless a request gives a temperature; one request at a time goes through the model.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import torch

from turnwise.agents.generation import Row, SamplingOptions, generate
from turnwise.agents.transformers_policy import TransformersPolicy

LONGEST = 512


class Model:
    def __init__(self, folder: str) -> None:
        torch.set_num_threads(1)
        policy = TransformersPolicy(folder, device="cpu")
        self.model, self.tokenizer, self.chat = policy.model, policy.tokenizer, policy.chat
        self.ends = policy._stop_ids
        self.lock = threading.Lock()

    def write(self, prompt: list[int], *, most: int, temperature: float, seed: int, stop_ids: list[int]) -> Row:
        if len(prompt) + most > LONGEST:
            raise ValueError(f"This model's maximum context length is {LONGEST} tokens, got {len(prompt) + most}")
        row = Row(prompt, np.random.default_rng(seed))
        ends = self.ends | set(stop_ids)
        with self.lock:
            generate(
                self.model,
                [row],
                options=SamplingOptions(most, temperature),
                is_complete=lambda ids: ids[-1] in ends,
                pad_id=0,
            )
        return row

    def text(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


def completion(model: Model, body: dict[str, Any]) -> dict[str, Any]:
    assert all(isinstance(token, int) for token in body["prompt"]), "prompts are tokens"
    row = _written(model, body["prompt"], body)
    logprobs = {"token_logprobs": row.logprobs, "tokens": [model.tokenizer.decode([i]) for i in row.ids]}
    choice = {
        "index": 0,
        "text": model.text(row.ids),
        "logprobs": logprobs if body.get("logprobs") is not None else None,
    }
    if body.get("return_token_ids"):
        choice |= {"token_ids": row.ids, "prompt_token_ids": body["prompt"]}
    return {"object": "text_completion", "model": body["model"], "choices": [choice]}


def chat_completion(model: Model, body: dict[str, Any]) -> dict[str, Any]:
    prompt = model.chat.encode(model.chat.opening(body["messages"]))
    row = _written(model, prompt, body)
    content = [{"token": model.tokenizer.decode([i]), "logprob": p} for i, p in zip(row.ids, row.logprobs, strict=True)]
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": model.text(row.ids)}}
    choice["logprobs"] = {"content": content} if body.get("logprobs") else None
    reply = {"object": "chat.completion", "model": body["model"], "choices": [choice]}
    if body.get("return_token_ids"):
        choice["token_ids"], reply["prompt_token_ids"] = row.ids, prompt
    return reply


def generated(model: Model, body: dict[str, Any]) -> dict[str, Any]:
    sampling = body["sampling_params"]
    row = model.write(
        body["input_ids"],
        most=sampling["max_new_tokens"],
        temperature=sampling["temperature"],
        seed=sampling["sampling_seed"],
        stop_ids=sampling["stop_token_ids"],
    )
    pairs = [[logprob, token, None] for token, logprob in zip(row.ids, row.logprobs, strict=True)]
    return {"text": model.text(row.ids), "output_ids": row.ids, "meta_info": {"output_token_logprobs": pairs}}


def _written(model: Model, prompt: list[int], body: dict[str, Any]) -> Row:
    return model.write(
        prompt,
        most=body["max_tokens"],
        temperature=body["temperature"],
        seed=body["seed"],
        stop_ids=body.get("stop_token_ids", []),
    )


ROUTES = {"/v1/completions": completion, "/v1/chat/completions": chat_completion, "/generate": generated}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--api-key")
    arguments = parser.parse_args()
    model = Model(arguments.folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            given = self.headers.get("Authorization")
            if arguments.api_key and given != f"Bearer {arguments.api_key}":
                self.answer(401, {"error": f"Incorrect API key provided: {given}"})
            elif self.path not in ROUTES or body.get("model", "tiny") != "tiny":
                self.answer(404, {"error": f"no model {body.get('model')!r} at {self.path}"})
            else:
                try:
                    self.answer(200, ROUTES[self.path](model, body))
                except ValueError as error:
                    self.answer(400, {"error": {"message": str(error)}})

        def answer(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
