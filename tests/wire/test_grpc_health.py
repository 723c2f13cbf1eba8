"""grpc.health.v1 and reflection, as an orchestrator and grpcurl see them."""

import asyncio
from collections.abc import AsyncIterator

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from essence.fakes import ScriptedModel
from essence.rpc.server import LANGUAGE_MODEL, Limits, RpcServer, serving

Response = health_pb2.HealthCheckResponse


async def statuses(channel: grpc.aio.Channel) -> list[int]:
    health = health_pb2_grpc.HealthStub(channel)
    checks = (health.Check(health_pb2.HealthCheckRequest(service=name)) for name in ("", LANGUAGE_MODEL.name))
    return [(await check).status for check in checks]


async def test_a_service_serves_only_once_its_engine_is_loaded() -> None:
    server = RpcServer(LANGUAGE_MODEL, Limits())
    port = await server.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await statuses(channel) == [Response.NOT_SERVING] * 2
        await server.serve(ScriptedModel("hi"))
        assert await statuses(channel) == [Response.SERVING] * 2
        await server.stop(0)


async def test_a_watcher_hears_that_the_service_stops_and_does_not_hold_it_up() -> None:
    server = RpcServer(LANGUAGE_MODEL, Limits())
    port = await server.start("127.0.0.1", 0)
    await server.serve(ScriptedModel("hi"))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await watch.read()).status == Response.SERVING
        async with asyncio.timeout(20):  # less than the grace that it would else take
            stopping = asyncio.create_task(server.stop(60))
            assert (await watch.read()).status == Response.NOT_SERVING
            await stopping


async def test_reflection_lists_the_service_and_its_health() -> None:
    async def ask() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    async with serving(LANGUAGE_MODEL, ScriptedModel("hi")) as url:
        async with grpc.aio.insecure_channel(url.removeprefix("grpc://")) as channel:
            answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(ask())
            [listed] = [answer.list_services_response.service async for answer in answers]
    assert {service.name for service in listed} >= {"june.v1.LanguageModel", "grpc.health.v1.Health"}
