# One image for the bridge and the simulator: `docker run IMAGE run --config …`, `… simulate`.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY bridge ./bridge
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/kis-bridge bridge
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels kis-mqtt-bridge && rm -rf /wheels
USER bridge
WORKDIR /var/lib/kis-bridge
ENV PYTHONUNBUFFERED=1
VOLUME /var/lib/kis-bridge
# The program is PID 1 and leaves on SIGTERM by itself, within ten seconds: no init is needed.
STOPSIGNAL SIGTERM
# Healthy: the bridge has said `online` on MQTT and its last will has not taken that back. Set
# KIS_BRIDGE_MQTT__URL (and __USERNAME, __PASSWORD), which the bridge reads as well.
HEALTHCHECK --interval=30s --timeout=15s --start-period=30s \
    CMD kis-bridge watch "${KIS_BRIDGE_MQTT__BASE_TOPIC:-kis}/bridge/state" --count 1 --for 10 \
        | grep -q '"online"'
ENTRYPOINT ["kis-bridge"]
CMD ["run"]
