-- Where did a device stand towards each area when it began to carry a shipment's goods? The newest milestone of each
-- kind and area before a moment, found without reading the device's whole history.
create index milestones_by_area on milestones (device_id, kind, area, time desc) where superseded_at is null;
