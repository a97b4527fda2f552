from contract import telemetry

telemetry.send_none()
